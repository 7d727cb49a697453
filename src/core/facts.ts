import type {Entry} from './entry.ts';
import {imageOfCopy} from './fill.ts';
import type {ImageRecord} from './image.ts';
import {parseLocation, sameSnapshot} from './location.ts';
import type {Facts} from './plan.ts';
import type {ParentState, SnapshotSpec} from './ports.ts';
import type {World} from './world.ts';

/** What the cell knows of an image whose record is still on its way. */
export type EarlyFacts = {
  image: string;
  fsid: Promise<string>;
  cached: Promise<Entry | undefined>;
  /** The location it was cloned from last, looked at again. */
  parent: {spec: SnapshotSpec; state: Promise<ParentState>} | undefined;
};

/** Where images were last found in our cluster: a guess at what Glance is going to say, and never more. */
const lastFound = new WeakMap<World, Map<string, SnapshotSpec>>();

/** Guesses kept; the oldest go. */
const mostGuesses = 1000;

/** Asks the cell while Glance is asked. What it answers is for `gatherFacts`: until Glance has said yes it is told to nobody. */
export function beginFacts(image: string, world: World, signal: AbortSignal): EarlyFacts {
  const {disks, index} = world.cell;
  const spec = lastFound.get(world)?.get(image);
  const parent = spec && {spec, state: disks.parentState(spec, signal)};
  const early = {image, fsid: disks.fsid(signal), cached: index.get(image, signal), parent};
  for (const fact of [early.fsid, early.cached, parent?.state]) fact?.catch(() => {}); // Glance's no is the answer then
  return early;
}

function remember(image: string, spec: SnapshotSpec, world: World): void {
  const found = lastFound.get(world) ?? new Map<string, SnapshotSpec>();
  lastFound.set(world, found);
  found.delete(image);
  found.set(image, spec);
  const [oldest] = found.keys();
  if (found.size > mostGuesses && oldest !== undefined) found.delete(oldest);
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
        const {pool, image: name, snapshot} = parsed.location;
        const spec = {pool, image: name, snapshot};
        const guessed = early.parent && sameSnapshot(early.parent.spec, spec) ? early.parent.state : undefined;
        const state = await (guessed ?? cell.disks.parentState(spec, signal));
        if (state.clonable) remember(image.id, spec, world);
        return {url, state};
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
