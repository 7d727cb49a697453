/** States of an image that only a crash leaves, made by hand: what librbd's own steps would have written, or not. */
import type {DiskSpec, SnapshotSpec} from '../../src/core/ports.ts';
import type {RealCell} from './real-cell.ts';

const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const text = (value: string) => Buffer.concat([u32(Buffer.byteLength(value)), Buffer.from(value)]);
/** A Ceph struct: version, oldest reader, length. */
const struct = (version: number, ...fields: Buffer[]) => {
  const body = Buffer.concat(fields);
  return Buffer.concat([Buffer.from([version, 1]), u32(body.length), body]);
};

export type CloneFormat = 1 | 2;

/** A clone made by client.admin. */
export async function cloneByHand({admin}: RealCell, parent: SnapshotSpec, disk: DiskSpec, cloneFormat: CloneFormat) {
  const [from, to] = [await admin(parent.pool), await admin(disk.pool)];
  await from.clone(parent.image, parent.snapshot, to, disk.name, {cloneFormat});
  await from.close();
  await to.close();
}

export async function writeByHand({admin}: RealCell, {pool, name}: DiskSpec, offset: number, data: Buffer) {
  const opened = await admin(pool);
  await (await opened.openImage(name)).write(offset, data);
  await opened.close();
}

export async function idOf({admin}: Pick<RealCell, 'admin'>, {pool, name}: DiskSpec): Promise<string> {
  const opened = await admin(pool);
  const {id} = await (await opened.openImage(name, {readOnly: true})).info();
  await opened.close();
  return id;
}

/** State (b): the name is in the directory and leads to an id, but there is no header. */
export async function withoutHeader(cell: RealCell, disk: DiskSpec) {
  const opened = await cell.admin(disk.pool);
  await opened.createImage(disk.name, {size: 4096});
  await opened.close();
  const id = await idOf(cell, disk);
  for (const object of [`rbd_header.${id}`, `rbd_object_map.${id}`]) await cell.rados(disk.pool, 'rm', object);
}

/** State (c): it opens and has the right size, but no parent: all zeros. */
export async function withoutParent({admin}: RealCell, {pool, name}: DiskSpec, size: number) {
  const opened = await admin(pool);
  await opened.createImage(name, {size});
  await opened.close();
}

/** State (d): a clone that its parent does not list. */
export async function unregistered(cell: RealCell, parent: SnapshotSpec, disk: DiskSpec, cloneFormat: CloneFormat) {
  await cloneByHand(cell, parent, disk, cloneFormat);
  const [from, to] = [await cell.admin(parent.pool), await cell.admin(disk.pool)];
  const image = await to.openImage(disk.name, {readOnly: true});
  const [{id}, link] = [await image.info(), await image.parent()];
  if (link === undefined) throw new Error('the clone has no parent');
  await image.close();
  if (cloneFormat === 1) {
    const child = [u64(from.id), text(link.imageId), u64(link.snapshotId), text(id)];
    await to.exec('rbd_children', 'rbd', 'remove_child', Buffer.concat(child));
  } else {
    const child = [u64(link.snapshotId), struct(2, u64(to.id), text(id), text(''))];
    await from.exec(`rbd_header.${link.imageId}`, 'rbd', 'child_detach', Buffer.concat(child));
  }
  await from.close();
  await to.close();
}

/** Sets what the snapshot's header says, by RBD_PROTECTION_STATUS_*, in one call each. */
export async function protection(cell: Pick<RealCell, 'admin'>, {pool: poolName, image: name, snapshot}: SnapshotSpec) {
  const pool = await cell.admin(poolName);
  const image = await pool.openImage(name, {readOnly: true});
  const [{id}, snapshots] = [await image.info(), await image.listSnapshots()];
  await image.close();
  const number = snapshots.find(one => one.name === snapshot)?.id;
  if (number === undefined) throw new Error(`there is no ${name}@${snapshot}`);
  const set = (status: number) =>
    pool.exec(`rbd_header.${id}`, 'rbd', 'set_protection_status', Buffer.concat([u64(number), Buffer.from([status])]));
  return {unprotecting: () => set(1), protected: () => set(2), close: () => pool.close()};
}

/** A removal that died: the image is in the trash as one that is being removed, and its name is given back. */
export async function beingRemoved(
  cell: Pick<RealCell, 'admin' | 'rados'>,
  {pool: poolName, name}: DiskSpec,
): Promise<void> {
  const id = await idOf(cell, {pool: poolName, name});
  const pool = await cell.admin(poolName);
  const never = Buffer.alloc(8);
  const spec = struct(2, Buffer.from([3]), text(name), never, never, Buffer.from([0]));
  await pool.omapCompareAndSet('rbd_trash', {});
  await pool.exec('rbd_trash', 'rbd', 'trash_add', Buffer.concat([text(id), spec]));
  await pool.exec('rbd_directory', 'rbd', 'dir_remove_image', Buffer.concat([text(name), text(id)]));
  await pool.close();
  await cell.rados(poolName, 'rm', `rbd_id.${name}`);
}
