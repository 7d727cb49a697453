import type {FillView} from '../core/board.ts';
import type {Copies, Copy, Eviction, Pinning, Prefetched, Verified} from '../core/cache.ts';
import type {Requester} from '../core/image.ts';
import type {DiskSpec, Intent, SnapshotSpec} from '../core/ports.ts';
import type {RegistrationStatus} from '../core/registration.ts';
import type {DiskRequest, DiskResult, Progress, RunOptions} from '../core/request.ts';

/**
 * What the HTTP API serves. Its arguments are valid when they arrive: names, ids and sizes were checked at the border.
 * Every method fails with a CellarError, and ends soon after its signal aborts; what it threw then is not looked at closely,
 * the answer is the signal's reason.
 */
export interface Agent {
  /** Answers when the disk is whole. Calling it again for the same disk and image is an `exists`. */
  createDisk(request: DiskRequest, options: RunOptions): Promise<DiskResult>;
  /** `not-found` when nothing stands under the name and nobody is making it. */
  showDisk(disk: DiskSpec, signal: AbortSignal): Promise<DiskView>;
  /** Idempotent: an absent disk is `deleted: false`. */
  deleteDisk(disk: DiskSpec, signal: AbortSignal): Promise<Deletion>;
  /** The cell's cached copies, and those that are on their way out. Ids of images are in lower case, here and below. */
  listImages(signal: AbortSignal): Promise<Copies>;
  /** `not-found` when the cell has no copy of it. */
  showImage(id: string, signal: AbortSignal): Promise<Copy>;
  /** Gets the image into the cache. Goes on when its caller leaves. */
  prefetchImage(id: string, requester: Requester, options: RunOptions): Promise<Prefetched>;
  /** Reads the copy back. One that is not intact is quarantined, which is an answer. `not-found` when there is no copy. */
  verifyImage(id: string, options: RunOptions): Promise<Verified>;
  /** Idempotent; the image needs no copy. */
  pinImage(id: string, signal: AbortSignal): Promise<Pinning>;
  unpinImage(id: string, signal: AbortSignal): Promise<Pinning>;
  /** Idempotent: without a copy it is `evicted: false`. `conflict` when it is pinned. */
  evictImage(id: string, signal: AbortSignal): Promise<Eviction>;
  /** The fills of the cell, by whichever host; what they tell is heard within a second or two. */
  fills(signal: AbortSignal): Promise<FillView[]>;
  /** In the text format of Prometheus; asks nobody. */
  metrics(): Promise<{type: string; text: string}>;
  /** Never waits for a dead Ceph or Glance: what is not known is said to be unknown. */
  status(signal: AbortSignal): Promise<Status>;
}

export type Deletion = {deleted: boolean};

/** A disk as it stands in the cluster, and who is working on it. */
export type DiskView = DiskSpec & {
  /** whole: it opens and its parent lists it. torn: a clone or a removal died. being-made: an agent's intent is open. */
  state: 'whole' | 'torn' | 'being-made';
  /** Bytes; null while it does not open. */
  size: number | null;
  parent: SnapshotSpec | null;
  registered: boolean;
  empty: boolean;
  /** Why it is torn, in words. */
  why?: string;
  /** The open intent, of this host or another. */
  intent?: Intent;
};

/** How one of the agent's partners is: `unknown` until it was first asked. */
export type PartState = 'up' | 'down' | 'unknown';

/** `asked`: ISO time at which it answered last, or was found down. */
type Part = {state: PartState; asked?: string; why?: string};

export type Status = {
  version: string;
  host: string;
  /** The cell's name, where the configuration gives one. */
  cell?: string;
  /** ISO time of the agent's start. */
  since: string;
  ceph: Part & {fsid: string | null; user: string; pool: string};
  glance: Part & {url: string | null};
  keystone: Part & {url: string | null};
  /** Where images wait that must be converted. down: none can be, and `why`. */
  spool?: {state: PartState; directory: string; why?: string};
  registration: RegistrationStatus;
  /** The fills this agent runs or waits for. */
  fills: Progress[];
  /** Cached copies of the cell: their number and the bytes of their disks; null while Ceph is not up. */
  cached: {
    images: number;
    bytes: number;
    /** What they take in the pool, and what they may take by the limits; null without a limit. */
    stored?: number;
    limit?: number | null;
  } | null;
  /** What went wrong last on this host, newest first. */
  mishaps?: {at: string; message: string; requestId?: string}[];
  /** How late the agent's event loop was, of the last minute the worst ten seconds: ms. */
  eventLoop: {p99Ms: number; maxMs: number};
};
