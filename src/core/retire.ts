import type {Entry} from './entry.ts';
import {asCellarError} from './errors.ts';
import type {CacheSurvey, RetireReason} from './events.ts';
import {type CacheFacts, chooseVictims, mayLeave, type Retired} from './evict.ts';
import {sightings} from './sightings.ts';
import type {World} from './world.ts';

export type RetireOptions = {
  reason: RetireReason;
  /** Its bytes are wrong: keep it for somebody to look at. */
  quarantined?: boolean;
  /** Not if somebody has pinned the image by now. */
  sparePinned?: boolean;
};

/** Takes the copy out of the index, so that no new disk is cloned from it. Its clones live on; the janitor removes it after the last one. false: the entry is another one by now. */
export async function retire(
  entry: Entry,
  why: string,
  {cell, emit}: World,
  signal: AbortSignal,
  {reason, quarantined = false, sparePinned = false}: RetireOptions,
): Promise<boolean> {
  const {image, rbdImage, stored} = entry;
  const retired: Retired = {schema: 1, image, rbdImage, stored, since: new Date().toISOString(), why, quarantined};
  const gone = await cell.index.retire(entry, retired, signal, {sparePinned});
  if (gone) emit({type: 'copy-retired', image, name: rbdImage, why, reason, quarantined});
  return gone;
}

/** Retires what the limits do not allow to stay, with `wanted` bytes about to be stored. Never fails: a full cache is no reason not to fill. */
export async function makeRoom(wanted: number, world: World, signal: AbortSignal): Promise<number> {
  let count = 0;
  try {
    for (const {entry, why, reason} of chooseVictims(await gatherFacts(wanted, world, signal))) {
      signal.throwIfAborted();
      if (await retire(entry, why, world, signal, {reason, sparePinned: true})) count++;
    }
  } catch (error) {
    if (!signal.aborted) world.emit({type: 'janitor-failed', step: 'making room', error: asCellarError(error)});
  }
  return count;
}

async function gatherFacts(
  wanted: number,
  {cell, limits, usage, emit}: World,
  signal: AbortSignal,
): Promise<CacheFacts> {
  const {maxFill} = limits.cache;
  const [{entries, pins, retired}, lastUse, room] = await Promise.all([
    cell.index.survey(signal),
    cell.usage.list(signal),
    maxFill > 0 ? cell.copies.room(signal) : undefined,
  ]);
  emit({type: 'cache-surveyed', ...surveyOf(entries, pins, retired), room});
  return {
    entries,
    lastUse: usage.merge(lastUse),
    pinned: new Set(pins),
    room,
    wanted,
    leaving: retired.reduce((sum, {stored, quarantined}) => sum + (quarantined ? 0 : stored), 0),
    limits: limits.cache,
    now: Date.now(),
  };
}

function surveyOf(entries: Entry[], pins: string[], retired: Retired[]): Omit<CacheSurvey, 'room'> {
  const total = (copies: readonly {stored: number}[]) => ({
    copies: copies.length,
    bytes: copies.reduce((sum, {stored}) => sum + stored, 0),
  });
  const pinned = new Set(pins);
  return {
    cached: total(entries),
    pinned: entries.filter(({image}) => pinned.has(image)).length,
    retired: total(retired.filter(({quarantined}) => !quarantined)),
    quarantined: total(retired.filter(({quarantined}) => quarantined)),
  };
}

/** Removes retired copies whose grace is over and that have no clones. One that cannot be looked at does not keep the others. */
export async function removeRetired(world: World, signal: AbortSignal): Promise<number> {
  const {cell, limits, emit} = world;
  const seen = sightings(world).retired;
  const retired = await cell.index.retired(signal);
  seen.keep(retired.map(({rbdImage}) => rbdImage));
  let removed = 0;
  for (const one of retired) {
    signal.throwIfAborted();
    if (!mayLeave(one, seen.age(one.rbdImage, one), limits.evictGrace)) continue;
    try {
      if (await cell.copies.hasClones(one.rbdImage, signal)) continue;
      if (!(await removeCopy(one.rbdImage, one.why, world, signal))) continue;
      await cell.index.forget(one, signal);
      removed++;
    } catch (error) {
      signal.throwIfAborted();
      emit({type: 'copy-kept', name: one.rbdImage, error: asCellarError(error)});
    }
  }
  return removed;
}

/** Removes a copy that no entry names. That it cannot be removed now (false) is no reason to fail: recovery tries again. */
export async function removeCopy(
  name: string,
  why: string,
  {cell, emit}: World,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await cell.copies.remove(name, signal);
    emit({type: 'copy-removed', name, why});
    return true;
  } catch (error) {
    emit({type: 'copy-kept', name, error: asCellarError(error)});
    return false;
  }
}

/** The names of an image's copies that are accounted for. The entry first: what is retired between the two reads is in the second. */
export async function knownCopies(imageId: string, {cell}: World, signal: AbortSignal): Promise<Set<string>> {
  const entry = await cell.index.get(imageId, signal);
  const retired = await cell.index.retired(signal);
  const names = retired.map(one => one.rbdImage);
  return new Set(entry === undefined ? names : [...names, entry.rbdImage]);
}
