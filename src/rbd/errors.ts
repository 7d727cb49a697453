import {CellarError, type ErrorDetails, type ErrorKind} from '../core/errors.ts';
import {RbdError} from './rbd-error.ts';

/** What an errno of librbd or librados tells the caller to do. Anything else: the cluster is not well, try again. */
const kinds: Record<string, ErrorKind> = {
  ENOENT: 'not-found',
  EEXIST: 'conflict',
  EBUSY: 'conflict',
  ENOTEMPTY: 'conflict',
  EPERM: 'forbidden',
  EACCES: 'forbidden',
  EROFS: 'forbidden',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  ETIMEDOUT: 'timeout',
  EINVAL: 'internal',
};

const hints: Partial<Record<ErrorKind, string>> = {
  forbidden: 'check the caps of the cephx user: `ceph auth get client.<user>`; docs/operations.md lists what it needs',
  'no-space': 'check `ceph df` and the quota of the pool',
  timeout: 'check `ceph -s`; the deadline is [image_store] osd_op_timeout',
  unavailable: 'check `ceph -s` and the log of the agent',
};

export const isRbdError = (error: unknown, ...codes: string[]): error is RbdError =>
  error instanceof RbdError && (codes.length === 0 || codes.includes(error.code));

/** The addon's error behind a CellarError, or the error itself. */
export const causeOf = (error: unknown): unknown => (error instanceof CellarError ? error.cause : error);

/** An error of the addon as a CellarError with the original as its cause; others as they are. */
export function fromRbd(error: unknown, details: ErrorDetails = {}): unknown {
  if (!isRbdError(error)) return error;
  const kind = kinds[error.code] ?? 'unavailable';
  const hint = details.hint ?? hints[kind];
  return new CellarError(kind, error.message, {...details, ...(hint !== undefined && {hint}), cause: error});
}
