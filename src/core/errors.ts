/**
 * The closed set of error kinds. A kind tells the caller what to do; the HTTP status and the exit code follow from it
 * and from nothing else. The table in docs/errors.md is checked against this one.
 */
export const errorKinds = {
  usage: {status: 400, exit: 2, retry: false, meaning: 'the request itself is wrong; change it'},
  unauthorized: {status: 401, exit: 77, retry: false, meaning: 'the token is missing, expired or not accepted'},
  forbidden: {status: 403, exit: 77, retry: false, meaning: 'the token or the cephx key may not do this'},
  'not-found': {status: 404, exit: 1, retry: false, meaning: 'there is no such thing, or the token may not see it'},
  conflict: {status: 409, exit: 1, retry: false, meaning: 'something that is not ours, or in use, is in the way'},
  unacceptable: {status: 422, exit: 1, retry: false, meaning: 'the image can never become this disk'},
  corrupt: {status: 502, exit: 75, retry: true, meaning: 'what Glance sent is not the image it promised'},
  unavailable: {status: 503, exit: 75, retry: true, meaning: 'Glance, Keystone or Ceph is down or busy'},
  timeout: {status: 504, exit: 75, retry: true, meaning: 'a deadline passed before the other side answered'},
  'no-space': {status: 507, exit: 75, retry: true, meaning: 'a pool, quota or cluster is full'},
  cancelled: {status: 499, exit: 75, retry: true, meaning: 'the caller went away or the agent is stopping'},
  config: {status: 500, exit: 78, retry: false, meaning: 'the configuration is wrong; restarting will not help'},
  unreachable: {status: 503, exit: 69, retry: true, meaning: 'the agent does not answer on its socket'},
  internal: {status: 500, exit: 1, retry: false, meaning: 'a bug in cellar'},
} as const;

export type ErrorKind = keyof typeof errorKinds;

export type ErrorDetails = {
  /** What to do next, in one sentence; a command where there is one. */
  hint?: string;
  cause?: unknown;
  /** The object that was worked on, for logs and JSON: never a secret. */
  object?: string;
};

/**
 * The one error that crosses a module's border. `message` says what was tried, on which object, and what the other side
 * answered; `hint` what to do next; `cause` keeps the original. None of them may hold a token, a password or a key.
 */
export class CellarError extends Error {
  override readonly name = 'CellarError';
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly object: string | undefined;

  constructor(kind: ErrorKind, message: string, {hint, cause, object}: ErrorDetails = {}) {
    super(message, cause === undefined ? {} : {cause});
    this.kind = kind;
    this.hint = hint;
    this.object = object;
  }
}

/** Any thrown value as a CellarError: itself, a cancellation, a deadline, or `internal` with the original as cause. */
export function asCellarError(error: unknown): CellarError {
  if (error instanceof CellarError) return error;
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new CellarError('timeout', error.message, {cause: error});
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return new CellarError('cancelled', error.message, {cause: error});
  }
  const message = error instanceof Error ? error.message : String(error);
  return new CellarError('internal', message, {cause: error});
}
