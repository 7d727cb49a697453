/** Answers for disks that stand. */
import {judgeDisk} from './disk.ts';
import {type Inspected, inspectDisk, type Look} from './inspect.ts';
import type {DiskSpec, Intent} from './ports.ts';
import {type MakeOptions, type Ready, readyIf} from './ready.ts';
import type {World} from './world.ts';

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
export async function keepDisk(
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

/** Grows a disk that stands, perhaps in use, to the asked size and reads everything back. undefined: there is none any more. */
async function finish(
  disk: DiskSpec,
  options: MakeOptions,
  {cell}: World,
  signal: AbortSignal,
): Promise<Ready | undefined> {
  let state = await cell.disks.state(disk, signal);
  if (state.kind === 'absent') return undefined;
  if (options.size !== undefined && !(state.kind === 'image' && state.size >= options.size)) {
    await cell.disks.grow(disk, options.size, signal);
    state = await cell.disks.state(disk, signal);
  }
  return readyIf(disk, state.kind === 'image' ? state : undefined, options);
}

/** The intent with the time of now, and in any case with another than it had: whoever knows the old one does not know this one. */
export function renewed(intent: Intent): Intent {
  const before = Date.parse(intent.since) || 0;
  return {...intent, since: new Date(Math.max(Date.now(), before + 1)).toISOString()};
}
