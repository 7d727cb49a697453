/** What stands under a disk's name, and what is to be done about it. */
import {setTimeout as sleep} from 'node:timers/promises';
import {type DiskVerdict, formatDisk, judgeDisk} from './disk.ts';
import {CellarError} from './errors.ts';
import type {DiskSpec, DiskState, Intent} from './ports.ts';
import type {MakeOptions} from './ready.ts';
import {intentAge} from './sightings.ts';
import type {World} from './world.ts';

/** What was seen under the name, and what to do about it. Never `look-again`: that was done. */
export type Inspected = {
  verdict: Exclude<DiskVerdict, {do: 'look-again' | 'refuse'}>;
  state: DiskState;
  intent: Intent | undefined;
};

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
