/**
 * What the OSD itself says of an image, by the class calls that librbd opens images with: a call is one answer of the cluster,
 * an open is some twenty. The methods and their encoding are the contract between clients and OSDs of all versions.
 */
import {Reader, text, u8, u64} from './encoding.ts';
import {isRbdError} from './errors.ts';
import type {NativePool} from './native.ts';

/** CEPH_NOSNAP: the image itself. */
const head = 2n ** 64n - 2n;

/** By RBD_PROTECTION_STATUS_*. */
const protections = ['unprotected', 'unprotecting', 'protected'] as const;

/** `unprotecting`: somebody tries to unprotect it, and looks for clones; what comes next may be either of the others. */
export type Protection = (typeof protections)[number];

/** OBJECT_NONEXISTENT */
const nonexistent = 0;

/** A class call; undefined when there is no such object, or key. */
export async function call(
  pool: NativePool,
  object: string,
  method: string,
  input: Buffer[] = [],
): Promise<Buffer | undefined> {
  try {
    return await pool.exec(object, 'rbd', method, Buffer.concat(input));
  } catch (error) {
    if (isRbdError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const askHeader = (pool: NativePool, id: string, method: string, input: Buffer[] = []) =>
  call(pool, `rbd_header.${id}`, method, input);

/** The id that `rbd_id.<name>` holds; undefined when there is none. */
export async function readImageId(pool: NativePool, name: string): Promise<string | undefined> {
  const answer = await call(pool, `rbd_id.${name}`, 'get_id');
  return answer && new Reader(answer).text();
}

/** The name that the pool's directory has for an id. */
export async function readImageName(pool: NativePool, id: string): Promise<string | undefined> {
  const answer = await call(pool, 'rbd_directory', 'dir_get_name', [text(id)]);
  return answer && new Reader(answer).text();
}

/** Bytes, and log2 of the object size, of the image or of one of its snapshots. */
export async function readSize(
  pool: NativePool,
  id: string,
  snapshot: number | bigint = head,
): Promise<{size: number; order: number} | undefined> {
  const answer = await askHeader(pool, id, 'get_size', [u64(snapshot)]);
  if (answer === undefined) return undefined;
  const reader = new Reader(answer);
  return {order: reader.u8(), size: reader.u64()};
}

/** RBD_FEATURE_* bits. */
export async function readFeatures(pool: NativePool, id: string): Promise<number | undefined> {
  const answer = await askHeader(pool, id, 'get_features', [u64(head), u8(1)]);
  return answer && new Reader(answer).u64();
}

/** The snapshot that the image is a clone of; undefined when it has no parent. */
export async function readParent(
  pool: NativePool,
  id: string,
): Promise<{poolId: number; namespace: string; imageId: string; snapshotId: number} | undefined> {
  const answer = await askHeader(pool, id, 'parent_get');
  if (answer === undefined) return undefined;
  const reader = new Reader(answer);
  reader.structEnd();
  const poolId = reader.i64();
  return poolId < 0
    ? undefined
    : {poolId, namespace: reader.text(), imageId: reader.text(), snapshotId: Number(reader.u64())};
}

/** Ids of the snapshots of all kinds, newest first; undefined when there is no such image. */
export async function readSnapshotIds(pool: NativePool, id: string): Promise<number[] | undefined> {
  const answer = await askHeader(pool, id, 'get_snapcontext');
  if (answer === undefined) return undefined;
  const reader = new Reader(answer);
  reader.u64(); // the newest id ever given
  return Array.from({length: reader.u32()}, () => reader.u64());
}

export async function readSnapshotName(pool: NativePool, id: string, snapshot: number): Promise<string | undefined> {
  const answer = await askHeader(pool, id, 'get_snapshot_name', [u64(snapshot)]);
  return answer && new Reader(answer).text();
}

export async function readProtection(pool: NativePool, id: string, snapshot: number): Promise<Protection | undefined> {
  const answer = await askHeader(pool, id, 'get_protection_status', [u64(snapshot)]);
  return answer && (protections[new Reader(answer).u8()] ?? 'unprotected');
}

/** Makes the object map cover so many objects; those that are new hold nothing. Nobody may have the image open for writing. */
export async function resizeObjectMap(pool: NativePool, id: string, objects: number): Promise<void> {
  await pool.exec(`rbd_object_map.${id}`, 'rbd', 'object_map_resize', Buffer.concat([u64(objects), u8(nonexistent)]));
}

/**
 * Makes the size `to` in the header if it still is `from`; false when it is not, or the image is gone. `set_size` writes the
 * same key whatever it holds, and a header that shrinks under a disk in use takes that disk's end away.
 */
export function changeSize(pool: NativePool, id: string, from: number, to: number): Promise<boolean> {
  return pool.omapCompareAndSet(`rbd_header.${id}`, {expect: {size: u64(from)}, set: {size: u64(to)}});
}
