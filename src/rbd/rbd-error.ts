/** What the addon knows of a failed call; it makes every RbdError. */
export type RbdFailure = {
  /** The errno's name, e.g. `ENOENT`; `UNKNOWN` when it has none. */
  code: string;
  /** Negative, as the C call returned it. */
  errno: number;
  /** The C call. */
  syscall: string;
  /** strerror's text. */
  reason: string;
  /** The cluster's own words, or which argument was bad. Never a secret. */
  detail?: string;
  pool?: string;
  namespace?: string;
  image?: string;
  snapshot?: string;
  object?: string;
};

/**
 * A call to librbd or librados that failed, with Node's own fields for system errors:
 * "rbd_open vms/disk@snap: No such file or directory".
 */
export class RbdError extends Error {
  override readonly name = 'RbdError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  declare readonly detail?: string;
  declare readonly pool?: string;
  declare readonly namespace?: string;
  declare readonly image?: string;
  declare readonly snapshot?: string;
  declare readonly object?: string;

  constructor(failure: RbdFailure) {
    super(messageOf(failure));
    const {reason: _, ...fields} = failure;
    this.code = failure.code;
    this.errno = failure.errno;
    this.syscall = failure.syscall;
    Object.assign(this, fields);
  }
}

function messageOf(failure: RbdFailure): string {
  const subject = subjectOf(failure);
  const detail = failure.detail === undefined ? '' : ` (${failure.detail})`;
  return `${failure.syscall}${subject === '' ? '' : ` ${subject}`}: ${failure.reason}${detail}`;
}

/** `pool/namespace/image@snapshot`, as far as each is known, in the way Ceph's own tools write it. */
function subjectOf({pool, namespace, image, object, snapshot}: RbdFailure): string {
  const path = [pool, namespace, image ?? object].filter(part => part !== undefined).join('/');
  return snapshot === undefined ? path : `${path}@${snapshot}`;
}
