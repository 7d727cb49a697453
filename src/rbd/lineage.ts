import {isRbdError} from './errors.ts';
import type {NativeImage, NativePool, ParentSpec} from './native.ts';

/**
 * Does the parent list this child? rbd_list_children3 would tell too, but it opens every pool of the cluster that has a
 * child and fails on the first one our key may not read (somebody's volumes, say). The two places where librbd keeps the
 * link are asked directly, each with one class call:
 * - clone format 1: `rbd_children` in the CHILD's pool, cls rbd `get_children` (parent pool, image id, snapshot) -> image ids
 * - clone format 2: the PARENT's header, cls rbd `children_list` (snapshot) -> pool, image id, namespace of each
 */
export async function isRegistered(
  child: {pool: NativePool; id: string},
  parent: ParentSpec,
  parentPool: NativePool,
): Promise<boolean> {
  const [first, second] = await Promise.all([
    call(child.pool, 'rbd_children', 'get_children', [
      u64(parentPool.id),
      text(parent.imageId),
      u64(parent.snapshotId),
    ]),
    call(parentPool, `rbd_header.${parent.imageId}`, 'children_list', [u64(parent.snapshotId)]),
  ]);
  if (first !== undefined && decodeIds(first).includes(child.id)) return true;
  return (
    second !== undefined &&
    decodeChildren(second).some(({poolId, imageId}) => imageId === child.id && poolId === child.pool.id)
  );
}

/** Has the snapshot any clone of format 2? (Format 1 shows when unprotecting fails.) */
export async function hasAttachedChildren(pool: NativePool, image: NativeImage, snapshotId: number): Promise<boolean> {
  const {id} = await image.info();
  const answer = await call(pool, `rbd_header.${id}`, 'children_list', [u64(snapshotId)]);
  return answer !== undefined && decodeChildren(answer).length > 0;
}

/** The id that `rbd_id.<name>` holds; undefined when there is none. */
export async function readImageId(pool: NativePool, name: string): Promise<string | undefined> {
  const answer = await call(pool, `rbd_id.${name}`, 'get_id', []);
  return answer && decodeText(answer);
}

async function call(pool: NativePool, object: string, method: string, input: Buffer[]): Promise<Buffer | undefined> {
  try {
    return await pool.exec(object, 'rbd', method, Buffer.concat(input));
  } catch (error) {
    if (isRbdError(error, 'ENOENT')) return undefined; // no such object or key: nobody is listed
    throw error;
  }
}

/** Ceph's encoding: little-endian u64, and text behind its u32 length. */
function u64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** string */
export const decodeText = (answer: Buffer): string => new Reader(answer).text();

/** set<string> */
export function decodeIds(answer: Buffer): string[] {
  const reader = new Reader(answer);
  return Array.from({length: reader.u32()}, () => reader.text());
}

/** set<cls::rbd::ChildImageSpec>: each a struct with version, compat and length in front, so that later fields can be skipped. */
export function decodeChildren(answer: Buffer): {poolId: number; imageId: string}[] {
  const reader = new Reader(answer);
  return Array.from({length: reader.u32()}, () => {
    const end = reader.structEnd();
    const child = {poolId: reader.i64(), imageId: reader.text()};
    reader.skipTo(end);
    return child;
  });
}

class Reader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  u32(): number {
    this.#at += 4;
    return this.#buffer.readUInt32LE(this.#at - 4);
  }

  i64(): number {
    this.#at += 8;
    return Number(this.#buffer.readBigInt64LE(this.#at - 8));
  }

  text(): string {
    const length = this.u32();
    this.#at += length;
    return this.#buffer.toString('utf8', this.#at - length, this.#at);
  }

  structEnd(): number {
    this.#at += 2;
    const length = this.u32();
    return this.#at + length;
  }

  skipTo(end: number): void {
    this.#at = end;
  }
}
