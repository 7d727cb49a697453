import type {Requester} from './image.ts';
import type {DiskSpec, SnapshotSpec} from './ports.ts';

/** A disk somebody wants. `size` in bytes; without it the disk is as large as the image. */
export type DiskRequest = DiskSpec & {image: string; size?: number; requester: Requester};

export type Outcome = 'exists' | 'cloned' | 'cloned-from-cache' | 'filled';

/** A road that was looked at and not taken, or taken: `why` in words for an operator. */
export type Road = {road: 'exists' | 'location' | 'cached' | 'fill'; taken: boolean; why: string};

/** Milliseconds, of the steps that were walked. */
export type Timings = {total: number; glance?: number; wait?: number; fill?: number; clone?: number};

export type DiskResult = {
  outcome: Outcome;
  pool: string;
  name: string;
  /** Bytes of the disk. */
  size: number;
  parent: SnapshotSpec;
  /** Image bytes this request took from Glance: 0 unless it ran the fill itself. */
  glanceBytes: number;
  timings: Timings;
  roads: Road[];
};

/** How far the fill is that a request waits for, in bytes received of the file's size. */
export type Progress = {image: string; received: number; size: number};

export type RunOptions = {signal: AbortSignal; onProgress?: (progress: Progress) => void};
