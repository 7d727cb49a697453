import {setTimeout as sleep} from 'node:timers/promises';
import {isDeepStrictEqual} from 'node:util';
import {type DiskVerdict, judgeDisk} from './disk.ts';
import {asCellarError, CellarError} from './errors.ts';
import {formatSnapshot, sameSnapshot} from './location.ts';
import type {Completed, DiskSpec, DiskState, Intent, SnapshotSpec} from './ports.ts';
import type {World} from './world.ts';

export type MakeOptions = {
  /** Glance's id of the image. */
  image: string;
  /** Is this snapshot one that a disk of the image may be a clone of? */
  isOurs: (parent: SnapshotSpec) => boolean;
  /** Bytes; undefined: as large as the image. */
  size: number | undefined;
};

/** What was seen under the name, and what to do about it. Never `look-again`: that was done. */
export type Inspected = {
  verdict: Exclude<DiskVerdict, {do: 'look-again' | 'refuse'}>;
  state: DiskState;
  intent: Intent | undefined;
};

export type Ready = {size: number; parent: SnapshotSpec};

/** `gone`: the parent is not there any more; nothing was left behind. */
export type Made = ({outcome: 'made' | 'exists'} & Ready) | {outcome: 'gone'; why: string};

/** What there is under a disk's name, unjudged. */
export type Look = {state: DiskState; intent: Intent | undefined};

export async function lookAtDisk(disk: DiskSpec, {cell}: World, signal: AbortSignal): Promise<Look> {
  const [state, intent] = await Promise.all([cell.disks.state(disk, signal), cell.intents.get(disk, signal)]);
  return {state, intent};
}

/** Looks at what stands under the name, unless that was done just now. Fails with `conflict` when it is not ours, `unavailable` when another agent is making it. */
export async function inspectDisk(
  disk: DiskSpec,
  {isOurs}: MakeOptions,
  world: World,
  signal: AbortSignal,
  first?: Look,
): Promise<Inspected> {
  const {self, limits} = world;
  for (let settled = false; ; settled = true) {
    const {state, intent} = (settled ? undefined : first) ?? (await lookAtDisk(disk, world, signal));
    const verdict = judgeDisk({state, intent, self, isOurs, now: Date.now(), intentStale: limits.intentStale});
    if (settled || !mayBeInTheMaking(state, intent, verdict)) {
      if (verdict.do === 'refuse')
        throw new CellarError(verdict.kind, `disk ${formatDisk(disk)}: ${verdict.why}`, {
          hint: verdict.hint,
          object: formatDisk(disk),
        });
      if (verdict.do !== 'look-again') return {verdict, state, intent};
      return {verdict: {do: 'repair', why: verdict.why}, state, intent};
    }
    await sleep(limits.tornSettle, undefined, {signal}); // somebody else may be between two steps of making it
  }
}

/** A clone between two of its steps looks like a torn one. Whoever makes it may have cleared its intent, or be no agent at all. */
const mayBeInTheMaking = (state: DiskState, intent: Intent | undefined, verdict: DiskVerdict): boolean =>
  verdict.do === 'look-again' ||
  (intent === undefined && state.kind === 'image' && state.empty && (state.parent === undefined || !state.registered));

/** Answers for a disk that stands: reads it back, grows it if need be, clears a left intent. undefined when there is none to answer for. */
export async function keepDisk(
  disk: DiskSpec,
  options: MakeOptions,
  {verdict, intent}: Inspected,
  world: World,
  signal: AbortSignal,
): Promise<Ready | undefined> {
  if (verdict.do !== 'answer' && verdict.do !== 'finish') return undefined;
  const ready = await finish(disk, options, world, signal);
  if (intent !== undefined) await world.cell.intents.clear(disk, intent, signal);
  return ready;
}

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
  {cell, self, limits, emit}: World,
  signal: AbortSignal,
): Promise<boolean> {
  const state = await cell.disks.state(disk, signal);
  const now = judgeDisk({state, intent, self, isOurs, now: Date.now(), intentStale: limits.intentStale});
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

/** Grows a disk that stands, perhaps in use, to the asked size and reads everything back. */
async function finish(disk: DiskSpec, options: MakeOptions, {cell}: World, signal: AbortSignal): Promise<Ready> {
  if (options.size !== undefined) await cell.disks.grow(disk, options.size, signal);
  const state = await cell.disks.state(disk, signal);
  return readyIf(disk, state.kind === 'image' ? state : undefined, options);
}

/** Only what was read back is called ready. */
function readyIf(disk: DiskSpec, read: Completed | undefined, {size, isOurs}: MakeOptions): Ready {
  const why = whyNotReady(read, size, isOurs);
  if (read?.parent !== undefined && why === undefined) return {size: read.size, parent: read.parent};
  throw new CellarError('unavailable', `disk ${formatDisk(disk)} was cloned, but ${why}`, {
    hint: 'it was not handed out; try again',
    object: formatDisk(disk),
  });
}

function whyNotReady(
  state: Completed | undefined,
  size: number | undefined,
  isOurs: MakeOptions['isOurs'],
): string | undefined {
  if (state === undefined) return 'does not open';
  if (state.parent === undefined) return 'has no parent';
  if (!isOurs(state.parent)) return `its parent is ${formatSnapshot(state.parent)}`;
  if (!state.registered) return `${formatSnapshot(state.parent)} does not list it as its child`;
  if (size !== undefined && state.size < size) return `it is ${state.size} bytes, not ${size}`;
  return undefined;
}

/**
 * After a failure: takes away what we began and our intent. What cannot be undone now keeps its intent: that is what makes the
 * next look repair instead of trust. An intent that is not ours any more was taken over by somebody who took us for dead: then
 * the disk is theirs.
 */
async function undo(disk: DiskSpec, intent: Intent, step: Step, {cell, self, limits}: World): Promise<void> {
  const signal = AbortSignal.timeout(limits.cleanUpTimeout);
  try {
    if (!isDeepStrictEqual(await cell.intents.get(disk, signal), intent)) return;
    const state = await cell.disks.state(disk, signal);
    const isOurs = (other: SnapshotSpec) => sameSnapshot(other, intent.parent);
    const {do: what} = judgeDisk({state, intent, self, isOurs, now: Date.now(), intentStale: limits.intentStale});
    if (step === 'repair' && what === 'repair') return;
    const made = step === 'clone' || step === 'finish';
    const empty = state.kind === 'torn' || (state.kind === 'image' && state.empty);
    if (made && empty && (what === 'repair' || what === 'finish')) await cell.disks.remove(disk, signal);
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

export const formatDisk = ({pool, name}: DiskSpec): string => `${pool}/${name}`;
