import {formatSnapshot, sameSnapshot} from './location.ts';
import type {DiskSpec, DiskState, Intent, SnapshotSpec} from './ports.ts';
import type {Self} from './world.ts';

/** What to do about a disk's name, and why. `repair`: remove what stands there, then make. `look-again`: it may be being made. */
export type DiskVerdict =
  | {do: 'make'}
  | {do: 'repair'; why: string}
  | {do: 'finish'}
  | {do: 'answer'}
  | {do: 'look-again'; why: string}
  | {do: 'refuse'; kind: 'conflict' | 'unavailable'; why: string; hint: string};

export type DiskFacts = {
  state: DiskState;
  intent: Intent | undefined;
  self: Self;
  /** Is this snapshot one that the asked image's disk may be a clone of? */
  isOurs: (parent: SnapshotSpec) => boolean;
  /** ms that this agent has been seeing this intent. */
  intentAge: number;
  intentStale: number;
};

/**
 * The rule for what stands under a disk's name. Pure. An intent proves that a maker was at work and never said "ready": only
 * then may something be removed, and only while it holds no data of its own. Without one, whatever opens is somebody's
 * disk: answered when it is a clone of this image, left alone otherwise.
 */
export function judgeDisk({state, intent, self, isOurs, intentAge, intentStale}: DiskFacts): DiskVerdict {
  if (intent !== undefined && intent.host !== self.host && intentAge < intentStale) {
    return {
      do: 'refuse',
      kind: 'unavailable',
      why: `the agent of ${intent.host} is making it since ${intent.since}`,
      hint: 'try again; a maker that died is taken over after some minutes',
    };
  }
  if (state.kind === 'absent') return {do: 'make'};
  if (state.kind === 'torn')
    return intent === undefined ? {do: 'look-again', why: state.why} : {do: 'repair', why: state.why};
  return intent === undefined ? judgeFinished(state, isOurs) : judgeUnfinished(state, intent, isOurs);
}

type Standing = Extract<DiskState, {kind: 'image'}>;

function judgeFinished({parent, registered}: Standing, isOurs: DiskFacts['isOurs']): DiskVerdict {
  const hint = 'it was left alone; remove it with `rbd rm` if it is to be made anew';
  if (parent === undefined)
    return {do: 'refuse', kind: 'conflict', why: 'it is there and is no clone of any image', hint};
  const name = formatSnapshot(parent);
  if (!isOurs(parent))
    return {
      do: 'refuse',
      kind: 'conflict',
      why: `it is there and is a clone of ${name}, which is not this image`,
      hint,
    };
  if (!registered)
    return {
      do: 'refuse',
      kind: 'conflict',
      why: `it is there, but ${name} does not list it as its child: whoever made it was stopped half-way`,
      hint,
    };
  return {do: 'answer'};
}

function judgeUnfinished(
  {parent, registered, empty}: Standing,
  intent: Intent,
  isOurs: DiskFacts['isOurs'],
): DiskVerdict {
  if (parent !== undefined && registered && isOurs(parent)) return {do: 'finish'};
  const made = parent === undefined || sameSnapshot(parent, intent.parent) || isOurs(parent);
  if (!made) return judgeFinished({kind: 'image', size: 0, parent, registered, empty}, isOurs);
  if (!empty) {
    return {
      do: 'refuse',
      kind: 'conflict',
      why: 'it was left unfinished, but holds data or snapshots of its own',
      hint: 'it was left alone; look at it, and remove it with `rbd rm` if nobody needs it',
    };
  }
  const why =
    parent === undefined
      ? 'it had no parent: all zeros'
      : registered
        ? `it was an unfinished clone of ${formatSnapshot(parent)}`
        : `${formatSnapshot(parent)} did not list it as its child`;
  return {do: 'repair', why};
}

export const formatDisk = ({pool, name}: DiskSpec): string => `${pool}/${name}`;
