import {formatDisk} from './disk.ts';
import {asCellarError, CellarError} from './errors.ts';
import {beginFacts, copyOf, gatherFacts, parentsOf} from './facts.ts';
import {fill} from './fill.ts';
import type {ImageRecord} from './image.ts';
import {type Inspected, inspectDisk, type Look, lookAtDisk} from './inspect.ts';
import {formatSnapshot} from './location.ts';
import {makeDisk} from './make.ts';
import {choosePlan, type Facts, roadKey, whyNever} from './plan.ts';
import type {SnapshotSpec} from './ports.ts';
import type {MakeOptions} from './ready.ts';
import type {DiskRequest, DiskResult, Outcome, Road, RunOptions, Timings} from './request.ts';
import {retire} from './retire.ts';
import {settleDisk} from './settle.ts';
import type {World} from './world.ts';

/**
 * Makes the disk that was asked for, by the first road that can be walked. Glance is asked first, with the requester's own
 * rights: no copy, however ready, goes to somebody whose token cannot read the image. While it answers the cell is looked
 * at, and only looked at. Then the other facts are gathered, the plan is chosen, and walked; a road that turns out closed is
 * noted and the plan chosen again.
 */
export async function resolveDisk(request: DiskRequest, world: World, options: RunOptions): Promise<DiskResult> {
  const {pool, name, image} = request;
  try {
    const result = await resolve(request, world, options);
    const {outcome, timings} = result;
    world.emit({type: 'disk-ready', pool, name, image, outcome, ms: timings.total});
    return result;
  } catch (thrown) {
    const error = asCellarError(thrown);
    world.emit({type: 'disk-failed', pool, name, image, kind: error.kind, error});
    throw thrown;
  }
}

async function resolve(request: DiskRequest, world: World, options: RunOptions): Promise<DiskResult> {
  const started = performance.now();
  const {signal} = options;
  const timings: Timings = {total: 0};
  const disk = {pool: request.pool, name: request.name};
  const asked = timed(timings, 'glance', () => world.images.get(request.image, request.requester, signal));
  const early = beginFacts(request.image, world, signal);
  const look = lookAtDisk(disk, world, signal);
  look.catch(() => {}); // Glance's no is the answer then
  const image = await asked;
  const never = whyNever(image);
  if (never !== undefined) throw refused(image, never);
  return world.turns.take(formatDisk(disk), signal, async waited => {
    const [facts, seen] = await Promise.all([
      gatherFacts(image, request.size, world, signal, waited ? undefined : early), // a turn may be long in coming
      waited ? undefined : look.catch(() => undefined), // what it failed with may be over
    ]);
    const make = {image: image.id, isOurs: parentsOf(image, facts), size: request.size};
    const first = seen && isNothing(seen) ? seen : undefined;
    const {inspected, standing} = await settleDisk(disk, make, world, signal, first);
    const walked = standing
      ? {outcome: 'exists' as const, ...standing, glanceBytes: 0, roads: [standingRoad(standing.parent)]}
      : await walk(image, request, {facts, make, inspected, timings}, world, options);
    timings.total = performance.now() - started;
    return {...walked, ...disk, timings};
  });
}

/**
 * Nothing was there when the request came, and nobody was making it: that may be taken for true a little later. Whoever was
 * quicker is seen by the intent and by the clone (see makeDisk). What stands is looked at in the disk's turn.
 */
const isNothing = ({state, intent}: Look): boolean => state.kind === 'absent' && intent === undefined;

type Walk = {facts: Facts; make: MakeOptions; inspected: Inspected | undefined; timings: Timings};
type Walked = Omit<DiskResult, 'pool' | 'name' | 'timings'>;

async function walk(
  image: ImageRecord,
  request: DiskRequest,
  {facts, make, inspected, timings}: Walk,
  world: World,
  options: RunOptions,
): Promise<Walked> {
  const tried = new Map<string, string>();
  let roads: Road[] = [];
  let outcome: Outcome = 'cloned-from-cache';
  let glanceBytes = 0;
  for (let step = 0; step < 20; step++) {
    const plan = choosePlan(image, {...facts, tried});
    if (outcome !== 'filled') roads = plan.roads;
    if (plan.kind === 'refuse') throw refused(image, plan.why);
    if (plan.kind === 'fill') {
      const filled = await timed(timings, 'fill', () => fill(image, request.requester, world, options));
      inspected = undefined; // that was long ago
      facts.cached = filled.entry;
      tried.delete(roadKey(copyOf(facts.cachePool, filled.entry)));
      if (filled.leader && filled.glanceBytes > 0) outcome = 'filled';
      if (filled.leader) glanceBytes += filled.glanceBytes;
      continue;
    }
    const made = await timed(timings, 'clone', async () => {
      const seen = inspected ?? (await inspectDisk(request, make, world, options.signal));
      return makeDisk(request, plan.parent, make, seen, world, options.signal);
    });
    inspected = undefined;
    if (made.outcome === 'gone') {
      tried.set(roadKey(plan.parent), made.why);
      if (plan.kind === 'clone-cached') await dropEntry(facts, made.why, world, options.signal);
      continue;
    }
    const {size, parent} = made;
    if (plan.kind === 'clone-cached') world.usage.touch(image.id);
    if (made.outcome === 'exists') return {outcome: 'exists', size, parent, glanceBytes, roads: [standingRoad(parent)]};
    return {outcome: plan.kind === 'clone' ? 'cloned' : outcome, size, parent, glanceBytes, roads};
  }
  throw new CellarError('unavailable', `no road to image ${image.id} stayed open long enough`, {
    hint: 'try again; `cellar status` shows the state of the cluster',
    object: image.id,
  });
}

const standingRoad = (parent: SnapshotSpec): Road => ({
  road: 'exists',
  taken: true,
  why: `it is a whole clone of ${formatSnapshot(parent)}`,
});

/** The index names a copy that cannot be cloned (an operator removed it by hand): the entry goes too, so that a fill can follow. Or it was evicted meanwhile. */
async function dropEntry(facts: Facts, why: string, world: World, signal: AbortSignal): Promise<void> {
  if (facts.cached !== undefined) await retire(facts.cached, why, world, signal, {reason: 'unclonable'});
  facts.cached = undefined;
}

async function timed<V>(timings: Timings, step: 'glance' | 'fill' | 'clone', work: () => Promise<V>): Promise<V> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    timings[step] = (timings[step] ?? 0) + performance.now() - started;
  }
}

const refused = (image: ImageRecord, why: string) =>
  new CellarError('unacceptable', `image ${image.id} cannot become this disk: ${why}`, {object: image.id});
