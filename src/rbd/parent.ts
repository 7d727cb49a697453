import {
  type Protection,
  readFeatures,
  readImageId,
  readProtection,
  readSize,
  readSnapshotIds,
  readSnapshotName,
} from './header.ts';
import type {NativePool} from './native.ts';

/** RBD_FEATURES_ALL of the oldest librbd that we run on: what it opens. */
const known = 0x1ff;

/** An image with more has each of them asked three things: then opening it is less work. */
const most = 8;

/**
 * The snapshot's size, and how it is protected, without opening the image. undefined: not found like this, whatever the
 * reason; opening it tells.
 */
export async function lookAtSnapshot(
  pool: NativePool,
  image: string,
  snapshot: string,
): Promise<{size: number; protection: Protection} | undefined> {
  const id = await readImageId(pool, image);
  if (id === undefined) return undefined;
  const [features, snapshots] = await Promise.all([readFeatures(pool, id), readSnapshotIds(pool, id)]);
  if (features === undefined || features > known || snapshots === undefined || snapshots.length > most)
    return undefined;
  const seen = await Promise.all(
    snapshots.map(async number => {
      const [name, sized, protection] = await Promise.all([
        readSnapshotName(pool, id, number),
        readSize(pool, id, number),
        readProtection(pool, id, number),
      ]);
      return {name, size: sized?.size, protection};
    }),
  );
  const found = seen.find(({name}) => name === snapshot);
  if (found?.size === undefined || found.protection === undefined) return undefined;
  return {size: found.size, protection: found.protection};
}
