import {setTimeout as sleep} from 'node:timers/promises';
import {isDeepStrictEqual} from 'node:util';
import {type DiskVerdict, judgeDisk} from './disk.ts';
import {asCellarError, CellarError} from './errors.ts';
import {formatSnapshot, sameSnapshot} from './location.ts';
import type {Completed, DiskSpec, DiskState, Intent, SnapshotSpec} from './ports.ts';
import {intentAge} from './sightings.ts';
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

/**
 * Of a disk that stands the intent is read last: that there is none then proves that its maker was done with it, or has taken it
 * away. One that was read before says nothing: the maker may have begun in between, and may still take away what was seen.
 */
export async function lookAtDisk(disk: DiskSpec, {cell}: World, signal: AbortSignal): Promise<Look> {
  const [state, before] = await Promise.all([cell.disks.state(disk, signal), cell.intents.get(disk, signal)]);
  return {state, intent: state.kind === 'absent' ? before : await cell.intents.get(disk, signal)};
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
    const age = intentAge(disk, intent, world);
    const verdict = judgeDisk({state, intent, self, isOurs, intentAge: age, intentStale: limits.intentStale});
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

/** Looks at what stands under the name, and answers for it where that can be done; `first` as for `inspectDisk`. */
export async function settleDisk(
  disk: DiskSpec,
  options: MakeOptions,
  world: World,
  signal: AbortSignal,
  first?: Look,
): Promise<{inspected: Inspected; standing: Ready | undefined}> {
  for (let attempt = 0; ; attempt++) {
    const inspected = await inspectDisk(disk, options, world, signal, attempt === 0 ? first : undefined);
    const standing = await keepDisk(disk, options, inspected, world, signal);
    const {do: what} = inspected.verdict;
    if (standing !== undefined || (what !== 'finish' && what !== 'answer') || attempt === 2)
      return {inspected, standing};
  }
}

/**
 * Answers for a disk that stands: reads it back, grows it if need be. A left intent is taken over first, and cleared at the end:
 * its maker, should it only have been slow, finds it gone, and takes nothing away. undefined when there is nothing to answer for,
 * or when somebody else was quicker: what was seen is not true any more then, and the caller looks again.
 */
async function keepDisk(
  disk: DiskSpec,
  options: MakeOptions,
  {verdict, intent}: Inspected,
  world: World,
  signal: AbortSignal,
): Promise<Ready | undefined> {
  const {cell, self} = world;
  if (verdict.do === 'answer') {
    const ready = await finish(disk, options, world, signal);
    const began = ready && (await cell.intents.get(disk, signal)); // who began anew may still take it away
    return began === undefined ? ready : undefined;
  }
  if (verdict.do !== 'finish' || intent === undefined) return undefined;
  const own = renewed({...intent, host: self.host, run: self.run});
  if (!(await cell.intents.put(disk, own, intent, signal))) return undefined;
  let ready: Ready | undefined;
  try {
    ready = await finish(disk, options, world, signal);
  } catch (error) {
    await letGo(disk, own, options, world);
    throw error;
  }
  return (await cell.intents.clear(disk, own, signal)) ? ready : undefined;
}

/**
 * A disk that we took over could not be answered for now. Where it is whole all the same (it could not be grown, say) our intent
 * would only keep other hosts out. Else it stays: it may be half a disk by now.
 */
async function letGo(disk: DiskSpec, own: Intent, {isOurs}: MakeOptions, {cell, self, limits}: World): Promise<void> {
  const signal = AbortSignal.timeout(limits.cleanUpTimeout);
  try {
    const state = await cell.disks.state(disk, signal);
    const verdict = judgeDisk({state, intent: own, self, isOurs, intentAge: 0, intentStale: limits.intentStale});
    if (verdict.do === 'finish') await cell.intents.clear(disk, own, signal);
  } catch {
    // it stays until it is taken for dead
  }
}

/** The intent with the time of now, and in any case with another than it had: whoever knows the old one does not know this one. */
export function renewed(intent: Intent): Intent {
  const before = Date.parse(intent.since) || 0;
  return {...intent, since: new Date(Math.max(Date.now(), before + 1)).toISOString()};
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

/** Grows a disk that stands, perhaps in use, to the asked size and reads everything back. undefined: there is none any more. */
async function finish(
  disk: DiskSpec,
  options: MakeOptions,
  {cell}: World,
  signal: AbortSignal,
): Promise<Ready | undefined> {
  if ((await cell.disks.state(disk, signal)).kind === 'absent') return undefined;
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

export const formatDisk = ({pool, name}: DiskSpec): string => `${pool}/${name}`;
