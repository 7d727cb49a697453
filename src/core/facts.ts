import {imageOfCopy} from './fill.ts';
import type {ImageRecord} from './image.ts';
import {parseLocation, sameSnapshot} from './location.ts';
import type {Facts} from './plan.ts';
import type {SnapshotSpec} from './ports.ts';
import type {World} from './world.ts';

/** The locations (each in our cluster opened) and the index, at once. */
export async function gatherFacts(
  image: ImageRecord,
  size: number | undefined,
  {cell, images}: World,
  signal: AbortSignal,
): Promise<Facts> {
  const survey = async () => {
    const [locations, fsid] = await Promise.all([images.locations(image, signal), cell.disks.fsid(signal)]);
    const looked = await Promise.all(
      locations.map(async ({url}) => {
        const parsed = parseLocation(url);
        if (!parsed.ok || parsed.location.fsid !== fsid) return {url};
        return {url, state: await cell.disks.parentState(parsed.location, signal)};
      }),
    );
    return {fsid, locations: looked};
  };
  const [surveyed, cached] = await Promise.all([survey(), cell.index.get(image.id, signal)]);
  return {...surveyed, cached, cachePool: cell.copies.pool, size, tried: new Map()};
}

/** The snapshots a disk of this image may be a clone of: its locations in our cluster, and any generation of its cached copy. */
export function parentsOf(image: ImageRecord, {locations, fsid, cachePool}: Facts): (parent: SnapshotSpec) => boolean {
  const own = locations.flatMap(({url}) => {
    const parsed = parseLocation(url);
    return parsed.ok && parsed.location.fsid === fsid ? [parsed.location] : [];
  });
  return parent =>
    (parent.pool === cachePool && imageOfCopy(parent.image) === image.id) ||
    own.some(location => sameSnapshot(location, parent));
}

/** The snapshot that an entry of the index names. */
export const copyOf = (pool: string, {rbdImage, snapshot}: {rbdImage: string; snapshot: string}): SnapshotSpec => ({
  pool,
  image: rbdImage,
  snapshot,
});
