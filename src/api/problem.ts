/** Errors on the wire: one JSON form out, the same CellarError back in at the client. */
import {asCellarError, CellarError, type ErrorDetails, type ErrorKind, errorKinds} from '../core/errors.ts';
import type {ErrorAnswer} from './wire.ts';

/**
 * A request refused by HTTP's own rules, where the status says more than the kind's (405, 413, 415 are all `usage`).
 * `headers` belong to the answer, as Allow to a 405.
 */
export class Refusal extends CellarError {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    kind: ErrorKind,
    message: string,
    {headers = {}, ...details}: ErrorDetails & {headers?: Record<string, string>} = {},
  ) {
    super(kind, message, details);
    this.status = status;
    this.headers = headers;
  }
}

export const statusOf = (error: CellarError): number =>
  error instanceof Refusal ? error.status : errorKinds[error.kind].status;

/**
 * The error as it is sent. `secrets` are the request's tokens: no error should hold one, and if one does (a library that
 * quotes what it sent) it is struck out here, the last place before the wire.
 */
export function errorBody(error: CellarError, requestId: string, secrets: readonly string[] = []): ErrorAnswer {
  const clean = (text: string) => secrets.reduce((cleaned, secret) => cleaned.replaceAll(secret, '***'), text);
  return {
    schema: 1,
    error: {
      kind: error.kind,
      message: clean(error.message),
      ...(error.hint !== undefined && {hint: clean(error.hint)}),
      ...(error.object !== undefined && {object: clean(error.object)}),
      requestId,
    },
  };
}

/** The error that was sent. A kind that this version does not know is a bug in neither: it is `internal` with the name kept. */
export function readError({kind, message, hint, object, requestId}: ErrorAnswer['error']): CellarError {
  const known = Object.hasOwn(errorKinds, kind);
  return new CellarError(known ? (kind as ErrorKind) : 'internal', known ? message : `${message} (${kind})`, {
    ...(hint !== undefined && {hint}),
    ...(object !== undefined && {object}),
    cause: `request ${requestId}`,
  });
}

/** What a request ended with: when its signal has aborted, the reason of that and not what the abort broke. */
export const failure = (error: unknown, signal: AbortSignal): CellarError =>
  asCellarError(signal.aborted ? signal.reason : error);
