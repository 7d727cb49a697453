import type {Entry} from './entry.ts';
import {imageOfCopy} from './fill.ts';
import type {ImageRecord} from './image.ts';
import {parseLocation, sameSnapshot} from './location.ts';
import type {Facts} from './plan.ts';
import type {SnapshotSpec} from './ports.ts';
import type {World} from './world.ts';

/** What the cell knows of an image whose record is still on its way. */
export type EarlyFacts = {image: string; fsid: Promise<string>; cached: Promise<Entry | undefined>};

/** Asks the cell while Glance is asked. What it answers is for `gatherFacts`: until Glance has said yes it is told to nobody. */
export function beginFacts(image: string, {cell}: World, signal: AbortSignal): EarlyFacts {
  const early = {image, fsid: cell.disks.fsid(signal), cached: cell.index.get(image, signal)};
  for (const fact of [early.fsid, early.cached]) fact.catch(() => {}); // Glance's no is the answer then
  return early;
}

/** The locations (each in our cluster looked at) and the index, at once. */
export async function gatherFacts(
  image: ImageRecord,
  size: number | undefined,
  world: World,
  signal: AbortSignal,
  begun?: EarlyFacts,
): Promise<Facts> {
  const {cell, images} = world;
  const early = begun?.image === image.id ? begun : beginFacts(image.id, world, signal);
  const survey = async () => {
    const [locations, fsid] = await Promise.all([images.locations(image, signal), early.fsid]);
    const looked = await Promise.all(
      locations.map(async ({url}) => {
        const parsed = parseLocation(url);
        if (!parsed.ok || parsed.location.fsid !== fsid) return {url};
        return {url, state: await cell.disks.parentState(parsed.location, signal)};
      }),
    );
    return {fsid, locations: looked};
  };
  const [surveyed, cached] = await Promise.all([survey(), early.cached]);
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
