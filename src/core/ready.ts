/** What a disk must be to be called ready. Pure. */
import {formatDisk} from './disk.ts';
import {CellarError} from './errors.ts';
import {formatSnapshot} from './location.ts';
import type {Completed, DiskSpec, SnapshotSpec} from './ports.ts';

export type MakeOptions = {
  /** Glance's id of the image. */
  image: string;
  /** Is this snapshot one that a disk of the image may be a clone of? */
  isOurs: (parent: SnapshotSpec) => boolean;
  /** Bytes; undefined: as large as the image. */
  size: number | undefined;
};

export type Ready = {size: number; parent: SnapshotSpec};

/** Only what was read back is called ready. */
export function readyIf(disk: DiskSpec, read: Completed | undefined, {size, isOurs}: MakeOptions): Ready {
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
