import {judgeDisk} from './disk.ts';
import {asCellarError} from './errors.ts';
import {fillLease, imageOfCopy, removeCopy} from './fill.ts';
import {sameSnapshot} from './location.ts';
import {formatDisk} from './make.ts';
import type {DiskSpec, Intent} from './ports.ts';
import type {World} from './world.ts';

/**
 * Start is recovery: what an earlier run of this host left half done is taken away, or finished. Copies that no entry names
 * and nobody holds a lease for, and disks whose intent is this host's. What cannot be judged now is left for the next
 * request that meets it. Never fails; what happened is told by events.
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
    try {
      removed += await recoverImage(imageId, names, claim, world, signal);
    } catch (error) {
      world.emit({type: 'copy-kept', name: names[0] ?? imageId, error: asCellarError(error)});
    }
  }
  return removed;
}

type Left = {names: string[]; claim: string | undefined};

/** By image: its copies, and the claim of a fill that runs or died. */
async function leftOfFills({cell}: World, signal: AbortSignal): Promise<Map<string, Left>> {
  const left = new Map<string, Left>();
  for (const {image, generation} of await cell.index.claims(signal)) left.set(image, {names: [], claim: generation});
  for (const name of await cell.copies.list(signal)) {
    const image = imageOfCopy(name);
    if (image === undefined) continue;
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
  const isLeft = async () => {
    const entry = await cell.index.get(imageId, signal);
    return names.filter(name => name !== entry?.rbdImage);
  };
  if (claim === undefined && (await isLeft()).length === 0) return 0;
  const lease = await cell.leases.acquire(fillLease(imageId), signal);
  if (lease === undefined) return 0; // a live filler's, or a dead one's for a few more seconds: the next fill of this image looks again
  try {
    if (claim !== undefined) await cell.index.unclaim(imageId, claim, signal); // first: nothing can be published after it
    let removed = 0;
    for (const name of await isLeft()) if (await removeCopy(name, 'no entry names it', world, signal)) removed++;
    return removed;
  } finally {
    await lease.release();
  }
}

async function recoverDisks(world: World, signal: AbortSignal): Promise<number> {
  let recovered = 0;
  for (const {disk} of await world.cell.intents.list(signal)) {
    const work = () => recoverDisk(disk, world, signal);
    if (await world.turns.take(formatDisk(disk), signal, work)) recovered++;
  }
  return recovered;
}

/** In its turn, and with the intent taken over before anything is removed: a request may be making this disk by now. */
async function recoverDisk(disk: DiskSpec, {cell, self, limits, emit}: World, signal: AbortSignal): Promise<boolean> {
  try {
    const intent = await cell.intents.get(disk, signal);
    if (intent === undefined || intent.host !== self.host || intent.run === self.run) return false;
    const state = await cell.disks.state(disk, signal);
    const isOurs = (parent: Intent['parent']) => sameSnapshot(parent, intent.parent);
    const verdict = judgeDisk({state, intent, self, isOurs, now: Date.now(), intentStale: limits.intentStale});
    if (verdict.do === 'refuse') return false;
    if (verdict.do !== 'repair') return await cell.intents.clear(disk, intent, signal);
    const own: Intent = {...intent, run: self.run, since: new Date().toISOString()};
    if (!(await cell.intents.put(disk, own, intent, signal))) return false;
    await cell.disks.remove(disk, signal);
    emit({type: 'disk-repaired', ...disk, why: verdict.why});
    return await cell.intents.clear(disk, own, signal);
  } catch (error) {
    emit({type: 'disk-kept', ...disk, error: asCellarError(error)});
    return false;
  }
}
