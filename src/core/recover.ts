import {type DiskVerdict, formatDisk, judgeDisk} from './disk.ts';
import {asCellarError} from './errors.ts';
import {fillLease, imageOfCopy} from './fill.ts';
import {sameSnapshot} from './location.ts';
import type {DiskSpec, Intent} from './ports.ts';
import {knownCopies, removeCopy} from './retire.ts';
import {renewed} from './settle.ts';
import {intentAge, sightings} from './sightings.ts';
import type {World} from './world.ts';

/**
 * Start is recovery, and so is every round of the janitor: what was left half done is taken away, or finished. Copies that
 * the index does not know and nobody holds a lease for, and disks whose intent is of an earlier run of this host, or stands for so
 * long that its maker is taken for dead. What cannot be judged now is left for the next request that meets it. Never fails; what happened is told
 * by events.
 */
export async function recover(world: World, signal: AbortSignal): Promise<{copies: number; disks: number}> {
  const copies = await recoverCopies(world, signal).catch(() => 0);
  const disks = await recoverDisks(world, signal).catch(() => 0);
  return {copies, disks};
}

/** Image by image, so that one that cannot be judged does not keep the others. */
async function recoverCopies(world: World, signal: AbortSignal): Promise<number> {
  let removed = 0;
  for (const [imageId, {names, claim}] of await leftOfFills(world, signal)) {
    signal.throwIfAborted();
    try {
      removed += await recoverImage(imageId, names, claim, world, signal);
    } catch (error) {
      signal.throwIfAborted();
      world.emit({type: 'copy-kept', name: names[0] ?? imageId, error: asCellarError(error)});
    }
  }
  return removed;
}

type Left = {names: string[]; claim: string | undefined};

/** By image: its copies that the index does not know, and the claim of a fill that runs or died. Seen in passing: to be looked at again before anything is done. */
async function leftOfFills({cell}: World, signal: AbortSignal): Promise<Map<string, Left>> {
  const left = new Map<string, Left>();
  const names = await cell.copies.list(signal);
  const {entries, retired, claims} = await cell.index.survey(signal); // after the names: what is published in between is known
  for (const {image, generation} of claims) left.set(image, {names: [], claim: generation});
  const known = new Set([...entries, ...retired].map(({rbdImage}) => rbdImage));
  for (const name of names) {
    const image = imageOfCopy(name);
    if (image === undefined || known.has(name)) continue;
    const seen = left.get(image) ?? {names: [], claim: undefined};
    seen.names.push(name);
    left.set(image, seen);
  }
  return left;
}

async function recoverImage(
  imageId: string,
  names: string[],
  claim: string | undefined,
  world: World,
  signal: AbortSignal,
): Promise<number> {
  const {cell} = world;
  const left = async (signal: AbortSignal) => {
    const known = await knownCopies(imageId, world, signal);
    return names.filter(name => !known.has(name));
  };
  if (claim === undefined && (await left(signal)).length === 0) return 0;
  const lease = await cell.leases.acquire(fillLease(imageId), signal);
  if (lease === undefined) return 0; // a live filler's, or a dead one's for a few more seconds: the next fill of this image looks again
  const held = AbortSignal.any([signal, lease.lost]); // the claim of who has it next is not ours to drop
  try {
    // First, and as it is now: after it nothing can be published that is not known below.
    for (const {image, generation} of await cell.index.claims(held))
      if (image === imageId) await cell.index.unclaim(imageId, generation, held);
    let removed = 0;
    for (const name of await left(held)) {
      held.throwIfAborted();
      if (await removeCopy(name, 'no entry names it', world, held)) removed++;
    }
    return removed;
  } finally {
    await lease.release();
  }
}

async function recoverDisks(world: World, signal: AbortSignal): Promise<number> {
  let recovered = 0;
  const listed = await world.cell.intents.list(signal);
  sightings(world).intents.keep(listed.map(({disk}) => formatDisk(disk)));
  for (const {disk} of listed) {
    signal.throwIfAborted();
    const key = formatDisk(disk);
    if (world.turns.isTaken(key)) continue; // a request, perhaps for as long as a fill takes: it sees the intent itself
    if (await world.turns.take(key, signal, () => recoverDisk(disk, world, signal))) recovered++;
  }
  return recovered;
}

/** An earlier run of this host is dead, whenever it was. What this run has left was not undone when its request failed. */
const mayBeAlive = (intent: Intent, age: number, {self, limits}: World): boolean =>
  (intent.host !== self.host || intent.run === self.run) && age < limits.intentStale;

/** In its turn, and with the intent taken over before anything is removed: a request may be making this disk by now. */
async function recoverDisk(disk: DiskSpec, world: World, signal: AbortSignal): Promise<boolean> {
  const {cell, self, limits, emit} = world;
  const judge = async (intent: Intent) => {
    const state = await cell.disks.state(disk, signal);
    const isOurs = (parent: Intent['parent']) => sameSnapshot(parent, intent.parent);
    const {intentStale} = limits;
    return judgeDisk({state, intent, self, isOurs, intentAge: intentStale, intentStale});
  };
  // Only where nothing has the name by now: what is in the trash can be removed by that alone.
  const isLeftInTrash = async (verdict: DiskVerdict) => verdict.do === 'make' && cell.trash.holds(disk, signal);
  try {
    const intent = await cell.intents.get(disk, signal);
    if (intent === undefined || mayBeAlive(intent, intentAge(disk, intent, world), world)) return false;
    if (!(await cell.disks.hasPool(disk.pool, signal))) return await cell.intents.clear(disk, intent, signal);
    const before = await judge(intent);
    if (before.do === 'refuse') return false;
    if (before.do !== 'repair' && !(await isLeftInTrash(before))) return await cell.intents.clear(disk, intent, signal);
    const own = renewed({...intent, host: self.host, run: self.run});
    if (!(await cell.intents.put(disk, own, intent, signal))) return false;
    const now = await judge(own); // its maker may have been slow and not dead: from here on it does not call the disk ready
    const why =
      now.do === 'repair' ? now.why : (await isLeftInTrash(now)) ? 'its removal had been broken off' : undefined;
    if (why !== undefined) {
      await cell.disks.remove(disk, signal);
      emit({type: 'disk-repaired', ...disk, why});
    }
    return await cell.intents.clear(disk, own, signal);
  } catch (error) {
    signal.throwIfAborted();
    emit({type: 'disk-kept', ...disk, error: asCellarError(error)});
    return false;
  }
}
