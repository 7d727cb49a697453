/** The names and numbers that come in: each checked once, here, so that nothing behind the border looks again. */
import {z} from 'zod';

export const limits = {
  /** Characters of a pool's or a disk's name. */
  name: 200,
  /** Bytes of a request's body. */
  body: 64 * 1024,
  /** Characters of a token: Node refuses headers over 16 KiB anyway. */
  token: 12 * 1024,
};

/*
 * '/' and '@' separate pool, image and snapshot wherever Ceph reads a name as text; control characters and line separators
 * would let a name forge lines of a log or a terminal. '.' and '..' are legal in Ceph, but every URL library folds them away
 * even when escaped, so that they would name another resource than was meant.
 */
const forbidden = /[/@\p{Cc}\p{Cs}\u2028\u2029]/u;

const name = (what: string) =>
  z
    .string()
    .min(1, `the ${what}'s name is empty`)
    .max(limits.name, `the ${what}'s name is longer than ${limits.name} characters`)
    .refine(value => value !== '.' && value !== '..', `the ${what}'s name may not be '.' or '..'`)
    .refine(value => !forbidden.test(value), `the ${what}'s name may not hold '/', '@' or control characters`)
    .meta({description: `The ${what}'s name: no '/', no '@', no control characters; not '.' or '..'.`});

export const poolName = name('pool');
export const diskName = name('disk');

/** Any UUID: Glance lets its users choose image ids, so the version bits mean nothing. */
export const imageId = z
  .guid('must be a UUID, as Glance writes it')
  .toLowerCase()
  .meta({description: 'The Glance image id.'});

export const diskSize = z.int('must be a whole number of bytes').positive('must be more than 0 bytes').meta({
  description: 'Bytes of the disk. Without it the disk is as large as the image. Never smaller than the image.',
});

/** The message never repeats the value: this is the one field that is a secret. */
export const token = z
  .string()
  .max(limits.token, `may not be longer than ${limits.token} characters`)
  .regex(/^[!-~]+$/, 'must be one or more printable ASCII characters without spaces')
  .meta({description: "The requester's Keystone token. Never logged. X-Auth-Token does the same."});
