import {type DiskVerdict, judgeDisk} from './disk.ts';
import {asCellarError} from './errors.ts';
import {fillLease, imageOfCopy} from './fill.ts';
import {sameSnapshot} from './location.ts';
import {formatDisk} from './make.ts';
import type {DiskSpec, Intent} from './ports.ts';
import {knownCopies, removeCopy} from './retire.ts';
import type {World} from './world.ts';

/**
 * Start is recovery, and so is every round of the janitor: what was left half done is taken away, or finished. Copies that
 * the index does not know and nobody holds a lease for, and disks whose intent is of an earlier run of this host, or so old that its host
 * is taken for dead. What cannot be judged now is left for the next request that meets it. Never fails; what happened is told
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
  const left = async () => {
    const known = await knownCopies(imageId, world, signal);
    return names.filter(name => !known.has(name));
  };
  if (claim === undefined && (await left()).length === 0) return 0;
  const lease = await cell.leases.acquire(fillLease(imageId), signal);
  if (lease === undefined) return 0; // a live filler's, or a dead one's for a few more seconds: the next fill of this image looks again
  try {
    // First, and as it is now: after it nothing can be published that is not known below.
    for (const {image, generation} of await cell.index.claims(signal))
      if (image === imageId) await cell.index.unclaim(imageId, generation, signal);
    let removed = 0;
    for (const name of await left()) if (await removeCopy(name, 'no entry names it', world, signal)) removed++;
    return removed;
  } finally {
    await lease.release();
  }
}

async function recoverDisks(world: World, signal: AbortSignal): Promise<number> {
  let recovered = 0;
  for (const {disk} of await world.cell.intents.list(signal)) {
    signal.throwIfAborted();
    const work = () => recoverDisk(disk, world, signal);
    if (await world.turns.take(formatDisk(disk), signal, work)) recovered++;
  }
  return recovered;
}

/** In its turn, and with the intent taken over before anything is removed: a request may be making this disk by now. */
async function recoverDisk(disk: DiskSpec, {cell, self, limits, emit}: World, signal: AbortSignal): Promise<boolean> {
  const judge = async (intent: Intent) => {
    const state = await cell.disks.state(disk, signal);
    const isOurs = (parent: Intent['parent']) => sameSnapshot(parent, intent.parent);
    return judgeDisk({state, intent, self, isOurs, now: Date.now(), intentStale: limits.intentStale});
  };
  // Only where nothing has the name by now: what is in the trash can be removed by that alone.
  const isLeftInTrash = async (verdict: DiskVerdict) => verdict.do === 'make' && cell.trash.holds(disk, signal);
  try {
    const intent = await cell.intents.get(disk, signal);
    if (intent === undefined || intent.run === self.run) return false;
    const before = await judge(intent);
    if (before.do === 'refuse') return false;
    if (before.do !== 'repair' && !(await isLeftInTrash(before))) return await cell.intents.clear(disk, intent, signal);
    const own: Intent = {...intent, host: self.host, run: self.run, since: new Date().toISOString()};
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
