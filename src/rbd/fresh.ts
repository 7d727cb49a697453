/**
 * The last steps of a clone that was made a moment ago, and that nobody uses yet. librbd would open it twice, to grow it and to
 * look at it again, and both together take as long as the clone. Here the size is set as librbd sets it, and the cluster's
 * own answers are read.
 */
import type {Completed} from '../core/ports.ts';
import {
  changeSize,
  readFeatures,
  readImageId,
  readImageName,
  readParent,
  readSize,
  readSnapshotName,
  resizeObjectMap,
} from './header.ts';
import {isRegistered} from './lineage.ts';
import type {NativePool} from './native.ts';

type Fresh = {pool: NativePool; id: string};

const objectMap = 8;

/**
 * layering, exclusive-lock, object-map, fast-diff, deep-flatten, and operations, which a clone of format 2 gets: with these
 * growing is the object map and the header, and nothing else. (Journaling, say, is more.)
 */
const plain = 1 | 4 | objectMap | 16 | 32 | 256;

/** A feature above bit 30, which `&` does not see, is none of those. */
const isPlain = (features: number): boolean => features < 2 ** 31 && (features & ~plain) === 0;

/** Grows it to `size`, if any, and reads it back. undefined: it is not as simple as that, for librbd to do. */
export async function completeFresh(
  pool: NativePool,
  name: string,
  parentPool: NativePool,
  size: number | undefined,
): Promise<Completed | undefined> {
  const id = await readImageId(pool, name);
  if (id === undefined) return undefined;
  const disk = {pool, id};
  const sized = async () => ((await grow(disk, size)) ? readSize(pool, id) : undefined);
  const both = [sized(), lineageOf(disk, parentPool)] as const;
  await Promise.allSettled(both); // who hears of a failure takes the clone away: an object map written after that would stay
  const [now, lineage] = await Promise.all(both);
  return now && lineage && {size: now.size, ...lineage};
}

/**
 * As rbd_resize2 does it, in the same order: first the object map, then the header, so that what dies in between leaves a map
 * that is too large, which librbd knows what to do with. Without the exclusive lock: it is against others who have it open. A
 * maker that slept so long that somebody took the disk over, and grew it, is kept from shrinking it by the size it saw.
 */
async function grow({pool, id}: Fresh, size: number | undefined): Promise<boolean> {
  if (size === undefined) return true;
  const [features, now] = await Promise.all([readFeatures(pool, id), readSize(pool, id)]);
  if (features === undefined || now === undefined || !isPlain(features)) return false;
  if (now.size >= size) return true;
  if ((features & objectMap) !== 0) await resizeObjectMap(pool, id, Math.ceil(size / 2 ** now.order));
  return changeSize(pool, id, now.size, size);
}

/** Its parent by name, and whether that lists it. undefined: it has no parent, or one that is not in this pool, or has no name there. */
async function lineageOf(disk: Fresh, parentPool: NativePool): Promise<Omit<Completed, 'size'> | undefined> {
  const found = await readParent(disk.pool, disk.id);
  if (found === undefined || found.poolId !== parentPool.id || found.namespace !== '') return undefined;
  const [image, snapshot, registered] = await Promise.all([
    readImageName(parentPool, found.imageId),
    readSnapshotName(parentPool, found.imageId, found.snapshotId),
    isRegistered(disk, found, parentPool),
  ]);
  if (image === undefined || snapshot === undefined) return undefined;
  return {parent: {pool: parentPool.name, image, snapshot}, registered};
}
