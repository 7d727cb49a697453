/** Makes a disk a verified clone, or nothing. */
import {isDeepStrictEqual} from 'node:util';
import {formatDisk, judgeDisk} from './disk.ts';
import {asCellarError, CellarError} from './errors.ts';
import {type Inspected, inspectDisk} from './inspect.ts';
import {sameSnapshot} from './location.ts';
import type {DiskSpec, Intent, SnapshotSpec} from './ports.ts';
import {type MakeOptions, type Ready, readyIf} from './ready.ts';
import {keepDisk, renewed} from './settle.ts';
import type {World} from './world.ts';

/** `gone`: the parent is not there any more; nothing was left behind. */
export type Made = ({outcome: 'made' | 'exists'} & Ready) | {outcome: 'gone'; why: string};

/**
 * Makes the disk a verified clone of the parent. No lock is held: the intent is journalled, the disk cloned and grown, then
 * read back (its parent, that the parent lists it, its size), and only then the intent cleared. `inspected` may be old: the
 * intent is a compare-and-set, what is to be repaired is looked at again, and the clone fails on a taken name, so whoever was
 * faster is seen.
 */
export async function makeDisk(
  disk: DiskSpec,
  parent: SnapshotSpec,
  options: MakeOptions,
  inspected: Inspected,
  world: World,
  signal: AbortSignal,
): Promise<Made> {
  const {cell, self} = world;
  let seen = inspected;
  for (let attempt = 0; attempt < 3; attempt++) {
    const standing = await keepDisk(disk, options, seen, world, signal);
    if (standing !== undefined) return {outcome: 'exists', ...standing};
    const intent: Intent = {
      schema: 1,
      host: self.host,
      run: self.run,
      since: new Date().toISOString(),
      image: options.image,
      parent,
    };
    if (await cell.intents.put(disk, intent, seen.intent, signal)) {
      const made = await makeUnderIntent(disk, intent, options, seen, world, signal);
      if (made !== undefined) return made;
    }
    seen = await inspectDisk(disk, options, world, signal);
  }
  throw new CellarError('unavailable', `disk ${formatDisk(disk)} is being made by somebody else`, {
    hint: 'try again',
    object: formatDisk(disk),
  });
}

/** How far an attempt came. `taken`: somebody else's disk stands there. */
type Step = 'repair' | 'clone' | 'finish' | 'taken';

/** One attempt. undefined: something else stands there than was seen; nothing was done, and the intent is cleared. */
async function makeUnderIntent(
  disk: DiskSpec,
  intent: Intent,
  options: MakeOptions,
  seen: Inspected,
  world: World,
  signal: AbortSignal,
): Promise<Made | undefined> {
  const {cell} = world;
  const {parent} = intent;
  let step: Step = 'repair';
  try {
    if (
      seen.verdict.do !== 'repair' ||
      (await repairDisk(disk, options, {...seen, why: seen.verdict.why}, world, signal))
    ) {
      step = 'clone';
      if ((await cell.disks.clone(parent, disk, signal)) === 'cloned') {
        step = 'finish';
        const ready = readyIf(disk, await cell.disks.complete(parent, disk, options.size, signal), options);
        if (!(await cell.intents.clear(disk, intent, signal))) throw takenOver(disk);
        return {outcome: 'made', ...ready};
      }
      step = 'taken';
    }
    await cell.intents.clear(disk, intent, signal);
    return undefined;
  } catch (error) {
    await undo(disk, intent, step, world);
    const why = step === 'clone' ? await whyGone(parent, error, world, signal) : undefined;
    if (why === undefined) throw error;
    return {outcome: 'gone', why};
  }
}

/** Takes away what was judged torn, if it still is: the judgement may be as old as a fill. false: it is something else by now. */
async function repairDisk(
  disk: DiskSpec,
  {isOurs}: MakeOptions,
  {intent, why}: {intent: Intent | undefined; why: string},
  {cell, self, limits: {intentStale}, emit}: World,
  signal: AbortSignal,
): Promise<boolean> {
  const state = await cell.disks.state(disk, signal);
  const now = judgeDisk({state, intent, self, isOurs, intentAge: intentStale, intentStale}); // it was, and is ours by now
  if (now.do === 'make') return true;
  if (now.do !== 'repair' && now.do !== 'look-again') return false;
  await cell.disks.remove(disk, signal);
  emit({type: 'disk-repaired', ...disk, why});
  return true;
}

/** A clone failed: because the parent cannot be cloned (any more)? Then another road may be open. */
async function whyGone(
  parent: SnapshotSpec,
  error: unknown,
  {cell}: World,
  signal: AbortSignal,
): Promise<string | undefined> {
  const {kind} = asCellarError(error);
  if (kind !== 'not-found' && kind !== 'forbidden' && kind !== 'internal') return undefined;
  const state = await cell.disks.parentState(parent, signal).catch(() => undefined);
  return state === undefined || state.clonable ? undefined : state.why;
}

/**
 * After a failure: takes away what we began and our intent. What cannot be undone now keeps its intent: that is what makes the
 * next look repair instead of trust. An intent that is not ours any more was taken over by somebody who took us for dead: then
 * the disk is theirs. So before anything is removed the intent is renewed: who has seen the old one and is about to answer for
 * the disk finds it changed.
 */
async function undo(disk: DiskSpec, begun: Intent, step: Step, {cell, self, limits}: World): Promise<void> {
  const signal = AbortSignal.timeout(limits.cleanUpTimeout);
  let intent = begun;
  try {
    if (!isDeepStrictEqual(await cell.intents.get(disk, signal), intent)) return;
    const state = await cell.disks.state(disk, signal);
    const isOurs = (other: SnapshotSpec) => sameSnapshot(other, begun.parent);
    const {do: what} = judgeDisk({state, intent, self, isOurs, intentAge: 0, intentStale: limits.intentStale});
    if (step === 'repair' && what === 'repair') return;
    const made = step === 'clone' || step === 'finish';
    const empty = state.kind === 'torn' || (state.kind === 'image' && state.empty);
    if (made && empty && (what === 'repair' || what === 'finish')) {
      intent = renewed(begun);
      if (!(await cell.intents.put(disk, intent, begun, signal))) return;
      await cell.disks.remove(disk, signal);
    }
    await cell.intents.clear(disk, intent, signal);
  } catch {
    // as said above
  }
}

/** Whoever took our intent took us for dead, and may be removing what we made. */
const takenOver = (disk: DiskSpec) =>
  new CellarError('unavailable', `disk ${formatDisk(disk)} took so long that another agent began to clear it away`, {
    hint: 'try again',
    object: formatDisk(disk),
  });
