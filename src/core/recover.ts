import {judgeDisk} from './disk.ts';
import {asCellarError} from './errors.ts';
import {fillLease, imageOfCopy, removeCopy} from './fill.ts';
import {sameSnapshot} from './location.ts';
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

async function recoverCopies(world: World, signal: AbortSignal): Promise<number> {
  const {cell} = world;
  let removed = 0;
  for (const name of await cell.copies.list(signal)) {
    const imageId = imageOfCopy(name);
    if (imageId === undefined) continue;
    const lease = await cell.leases.acquire(fillLease(imageId), signal);
    if (lease === undefined) continue; // a live filler's, or a dead one's for a few more seconds: the next fill of this image looks again
    try {
      const entry = await cell.index.get(imageId, signal);
      if (entry?.rbdImage === name) continue;
      await removeCopy(name, 'no entry names it', world, signal);
      await cell.index.unclaim(imageId, name.slice(imageId.length + 1), signal);
      removed++;
    } finally {
      await lease.release();
    }
  }
  return removed;
}

async function recoverDisks(world: World, signal: AbortSignal): Promise<number> {
  const {cell, self} = world;
  let recovered = 0;
  for (const {disk, intent} of await cell.intents.list(signal)) {
    if (intent.host !== self.host || intent.run === self.run) continue;
    if (await recoverDisk(disk, intent, world, signal)) recovered++;
  }
  return recovered;
}

async function recoverDisk(
  disk: DiskSpec,
  intent: Intent,
  {cell, self, limits, emit}: World,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const state = await cell.disks.state(disk, signal);
    const isOurs = (parent: Intent['parent']) => sameSnapshot(parent, intent.parent);
    const verdict = judgeDisk({state, intent, self, isOurs, now: Date.now(), intentStale: limits.intentStale});
    if (verdict.do === 'refuse') return false;
    if (verdict.do === 'repair') {
      await cell.disks.remove(disk, signal);
      emit({type: 'disk-repaired', ...disk, why: verdict.why});
    }
    return await cell.intents.clear(disk, intent, signal);
  } catch (error) {
    emit({type: 'disk-kept', ...disk, error: asCellarError(error)});
    return false;
  }
}
