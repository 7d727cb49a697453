/**
 * What the core needs from the world, as small interfaces. src/rbd, src/glance and the fakes under test/ implement them;
 * test/suites/ holds the contract each implementation passes.
 *
 * Every method takes an AbortSignal, settles within the deadline of its connection, and fails with a CellarError. librbd
 * cannot be interrupted, so an abort is looked at between calls: a method that has begun ends, by itself or by its deadline,
 * before its promise settles. Nothing goes on in the background after that.
 */
import type {DiskDigestForm} from './digest.ts';
import type {Entry} from './entry.ts';
import type {Retired} from './evict.ts';
import type {QemuView} from './format/index.ts';
import type {ImageLocation, ImageRecord, Requester} from './image.ts';

/** A snapshot that disks are cloned from. */
export type SnapshotSpec = {pool: string; image: string; snapshot: string};

/** An instance disk: an RBD image by pool and name. */
export type DiskSpec = {pool: string; name: string};

export type Download = {
  /** Content-Length, when the server sent one. */
  length: number | undefined;
  /** A chunk stays as it is until it is given back. */
  body: AsyncIterable<Uint8Array>;
  /** Takes a chunk back that nobody looks at any more: its memory is used again. */
  recycle?(chunk: Uint8Array): void;
};

/** Glance, as one agent sees it. */
export interface Images {
  /** GET /v2/images/{id} with the requester's rights. 404 is `not-found`, 401 `unauthorized`, 403 `forbidden`. */
  get(id: string, requester: Requester, signal: AbortSignal): Promise<ImageRecord>;
  /**
   * The image's locations in Glance's order: the service-role call where this Glance has it and lets us, else those of the
   * record (which end in its direct_url). Never fails for want of rights: then there are none to see.
   */
  locations(record: ImageRecord, signal: AbortSignal): Promise<ImageLocation[]>;
  /** GET /v2/images with our own identity: is it a list of images? false when somebody else answers in Glance's place. */
  listable(signal: AbortSignal): Promise<boolean>;
  /** GET /v2/images/{id}/file. Anything but 200 fails; 204 (no data) is `corrupt`. Leaving the loop early ends the transfer. */
  download(record: ImageRecord, requester: Requester, signal: AbortSignal): Promise<Download>;
}

/** Can this snapshot be cloned by us? "No" is a value with a reason. `size` is the snapshot's, in bytes. */
export type ParentState = {clonable: true; size: number} | {clonable: false; why: string};

/**
 * What stands under a disk's name.
 * - absent: nothing
 * - torn: the pool's directory or an rbd_id object names it but it does not open (a clone or a removal that died)
 * - image: it opens. `registered`: its parent lists it as a child (false: the parent could be removed under it; true when
 *   there is no parent). `empty`: it holds no data and no snapshot of its own.
 */
export type DiskState =
  | {kind: 'absent'}
  | {kind: 'torn'; why: string}
  | {kind: 'image'; size: number; parent: SnapshotSpec | undefined; registered: boolean; empty: boolean};

/** A disk that opens, as the cluster has it. */
export type Completed = {size: number; parent: SnapshotSpec | undefined; registered: boolean};

/** Instance disks and the snapshots they are cloned from, in the cell's cluster. */
export interface Disks {
  /** The fsid of the connected cluster. */
  fsid(signal: AbortSignal): Promise<string>;
  /** Is there a pool of this name, whatever we may do in it? */
  hasPool(pool: string, signal: AbortSignal): Promise<boolean>;
  /** Looks at the snapshot. A missing pool, image or snapshot, a foreign pool and an unprotected snapshot that needs protection are reasons. */
  parentState(parent: SnapshotSpec, signal: AbortSignal): Promise<ParentState>;
  state(disk: DiskSpec, signal: AbortSignal): Promise<DiskState>;
  /** Clones; `exists` when the name is taken, in whatever state. `not-found` when the parent is gone. */
  clone(parent: SnapshotSpec, disk: DiskSpec, signal: AbortSignal): Promise<'cloned' | 'exists'>;
  /** Grows to `size` bytes; a disk that is as large or larger is left alone. */
  grow(disk: DiskSpec, size: number, signal: AbortSignal): Promise<void>;
  /**
   * Of a clone of `parent` that this agent made a moment ago and nobody uses yet: grows it to `size` bytes (undefined, or less
   * than it has: left alone), and then reads from the cluster what it is. undefined when it does not open.
   */
  complete(
    parent: SnapshotSpec,
    disk: DiskSpec,
    size: number | undefined,
    signal: AbortSignal,
  ): Promise<Completed | undefined>;
  /** Removes it, torn or whole; absent is fine. In use (a watcher, a snapshot) is `conflict`; a dead client's watch is waited out. */
  remove(disk: DiskSpec, signal: AbortSignal): Promise<void>;
}

/** Where a removal puts an image before it takes it away. */
export interface Trash {
  /** Was a removal of this disk broken off? Then its name is free, and its data is still there: `Disks.remove` goes on with it. */
  holds(disk: DiskSpec, signal: AbortSignal): Promise<boolean>;
}

/** How a copy's bytes are taken: the digests to compute beside sha512, and the objects on their way at once (its bound on memory). */
export type WriteOptions = {digests?: string[]; inFlight?: number};

/** What was taken. `written` leaves out the holes: zeros are not written. `digests` are hex, sha512 always among them. */
export type Written = {received: number; written: number; digests: Record<string, string>};

/** The one image being filled, from its start to its end. Invisible to readers until the index names it. */
export interface CopyWriter {
  /**
   * The chunk is borrowed until the promise settles, and that may wait for the cluster. Several may be pending: they are taken
   * in order. Fails when a write has failed, and then all that follow do. More than the image holds is refused.
   */
  append(chunk: Uint8Array): Promise<void>;
  /** After the last chunk: every byte is in the cluster. Fails with what the first failed write failed with. */
  finish(): Promise<Written>;
  /** Flushes, makes and protects the snapshot, closes. After it the copy can be cloned, and never changes. */
  seal(signal: AbortSignal): Promise<SnapshotSpec>;
  /** Waits for writes in flight and closes without sealing; idempotent. The image stays: `Copies.remove` takes it away. */
  abandon(): Promise<void>;
}

export type DigestOptions = {
  /** How it is made of the disk's bytes: see digest.ts. */
  form: DiskDigestForm;
  /** Is told now and then how many bytes are done. */
  onProgress?: ((done: number) => void) | undefined;
};

/** What a copy holds: `digest` is hex, `stored` leaves out runs of zeros as `Written` does. */
export type CopyDigest = {digest: string; size: number; stored: number};

/** Cached copies: RBD images `<image id>.<generation>` in the cell's cache pool, on a connection of their own. */
export interface Copies {
  readonly pool: string;
  /** Makes the empty image. A pool without room is `no-space`. */
  create(name: string, size: number, signal: AbortSignal, options?: WriteOptions): Promise<CopyWriter>;
  /** Names of all images of the pool, those that do not open and those whose removal was broken off included. */
  list(signal: AbortSignal): Promise<string[]>;
  /** Takes the copy away, sealed or not, torn or whole; absent is fine. With clones it is `conflict` and stays whole. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /** Has a sealed copy clones? false for one that is not there; `conflict` when all that are left of them are in pools that are not there any more. */
  hasClones(name: string, signal: AbortSignal): Promise<boolean>;
  /** Reads the whole of a copy's snapshot from the cluster, holes as zeros. `not-found` when it is not there. Fails with the signal's reason. */
  digest(name: string, snapshot: string, signal: AbortSignal, options: DigestOptions): Promise<CopyDigest>;
  /** Bytes stored in the pool and still available to it, copies of the replication not counted; undefined where the cluster does not tell (no ceph-mgr). */
  room(signal: AbortSignal): Promise<{used: number; available: number} | undefined>;
}

/** A file in the spool: written once, from its start to its end, then read by its path. Disposing of it removes it. */
export interface Spooled extends AsyncDisposable {
  readonly path: string;
  /**
   * The chunk is borrowed until the promise settles. Several may be pending: they are taken in order. `no-space` when the spool
   * has no more room.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Nothing more will be written, and everything was. The digests of it, hex, as they were asked for. */
  finish(): Promise<Record<string, string>>;
}

/** Images that are not stored as they come. */
export interface Converter {
  /** A new file with room for so many bytes, hashed with these algorithms; `no-space` when the spool is full. */
  spool(bytes: number, digests: string[]): Promise<Spooled>;
  /** QEMU's opinion of a file that we have judged already: does it see the same disk? */
  check(
    path: string,
    expected: {qemu: QemuView; virtualSize: number},
    signal: AbortSignal,
  ): Promise<{ok: true} | {ok: false; why: string}>;
  /** Writes the disk in the file into the copy of this name, which is as large as the disk and empty. Everything is in the cluster when it returns. */
  convert(source: string, qemu: QemuView, copy: string, signal: AbortSignal): Promise<void>;
}

/** All that the index holds, of one reading. What is retired while it is read is among the entries, the retired, or both. */
export type Survey = {
  entries: Entry[];
  retired: Retired[];
  /** Images whose copy is never evicted. */
  pins: string[];
  /** Claims of fills that run, or died. */
  claims: {image: string; generation: string}[];
};

/** The cell's record of its cached copies: one omap object, every change one compare-and-set on it. */
export interface Index {
  get(imageId: string, signal: AbortSignal): Promise<Entry | undefined>;
  /** Those that cannot be read are left out, so that they do not keep the others: `get` says what is wrong with one. */
  list(signal: AbortSignal): Promise<Entry[]>;
  /** Everything at once, for who needs more than one kind of it: the same as `list`, `retired`, `pins` and `claims` tell. */
  survey(signal: AbortSignal): Promise<Survey>;
  /** Says that `generation` is the only one of this image that may be published from now on. Held under the fill's lease. */
  claim(imageId: string, generation: string, signal: AbortSignal): Promise<void>;
  /** The commit. One op: the claim is still `entry.generation`, the entry is still `replaces` (or absent): set the entry, drop the claim, write down what it replaces as retired. false when either moved on. */
  publish(entry: Entry, replaces: Entry | undefined, signal: AbortSignal): Promise<boolean>;
  /** Drops a claim of ours that came to nothing. false: it is not there, or somebody else's, which stays. */
  unclaim(imageId: string, generation: string, signal: AbortSignal): Promise<boolean>;
  /** Claims of fills that run, or died. */
  claims(signal: AbortSignal): Promise<{image: string; generation: string}[]>;
  /** Takes the entry out if it is still exactly this one, and in the same op writes down its copy as retired. `sparePinned`: not while the image is pinned. */
  retire(entry: Entry, retired: Retired, signal: AbortSignal, options?: {sparePinned?: boolean}): Promise<boolean>;
  /** One that cannot be read is told as quarantined: its copy stays until somebody has looked. */
  retired(signal: AbortSignal): Promise<Retired[]>;
  /** Strikes a retired copy off if it is still written down exactly so, or writes down `instead`. */
  forget(retired: Retired, signal: AbortSignal, instead?: Retired): Promise<boolean>;
  /** Images whose copy is never evicted. A pin needs no entry, and outlives it. */
  pins(signal: AbortSignal): Promise<string[]>;
  pin(imageId: string, signal: AbortSignal): Promise<void>;
  unpin(imageId: string, signal: AbortSignal): Promise<void>;
}

/** When images of the cache were last used, for the whole cell. */
export interface Usage {
  /** Writes several at once; ms since the epoch, by image. A later use that is written down already stays. */
  touch(lastUse: ReadonlyMap<string, number>, signal: AbortSignal): Promise<void>;
  forget(images: readonly string[], signal: AbortSignal): Promise<void>;
  list(signal: AbortSignal): Promise<Map<string, number>>;
}

export type Lease = {
  /** Aborts when the lease could not be renewed in time: stop writing. */
  readonly lost: AbortSignal;
  /**
   * Tells those who follow the lease. Nothing waits for it and it never fails: of what is told quickly in a row only the newest
   * is heard, and who begins to follow later hears that too. At most `mostTold` bytes are heard.
   */
  tell(news: string): void;
  /** Gives it back; idempotent, and never fails: an unreleased lease ends by its duration. Who follows it hears that it ended. */
  release(): Promise<void>;
};

/** Bytes of one piece of news. */
export const mostTold = 4096;

/** News; or nothing in the time that was given; or `ended`: the lease was given back, or cannot be followed any more. Time to look again. */
export type Heard = {told: string} | 'nothing' | 'ended';

/** One who follows a lease. What is heard is anybody's word: whoever may write to the pool may tell. Ends when it is disposed of, which never fails. */
export interface Follower extends AsyncDisposable {
  /** Waits so many ms. After `ended` always `ended`. */
  next(ms: number, signal: AbortSignal): Promise<Heard>;
}

/** Leases by name, on the OSD's clock. A lease elects, it does not fence: what is published is guarded by the index's claim. */
export interface Leases {
  /** undefined when somebody else holds it. Renewed in the background until released or lost. */
  acquire(name: string, signal: AbortSignal): Promise<Lease | undefined>;
  /** Who holds it, in their own words; undefined when free. */
  holder(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** From now on what is told of the lease is kept for the follower. undefined: nobody holds it. A dead holder's may be followed, and is silent. */
  follow(name: string, signal: AbortSignal): Promise<Follower | undefined>;
  /** Names, with this prefix, of leases that are held or that a dead holder never gave back. Looks at every object of the pool. */
  list(prefix: string, signal: AbortSignal): Promise<string[]>;
}

/** A disk being made: written before the clone, cleared after it was verified. Proof that what stands there may be torn. */
export type Intent = {
  schema: 1;
  host: string;
  /** One run of one agent: a new one at every start. */
  run: string;
  /** ISO time, of the host that wrote it. */
  since: string;
  image: string;
  parent: SnapshotSpec;
};

export interface Intents {
  get(disk: DiskSpec, signal: AbortSignal): Promise<Intent | undefined>;
  /** Compare-and-set from `expected` (undefined: none). false when it is another one by now. */
  put(disk: DiskSpec, intent: Intent, expected: Intent | undefined, signal: AbortSignal): Promise<boolean>;
  /** Clears it if it is still this one. */
  clear(disk: DiskSpec, intent: Intent, signal: AbortSignal): Promise<boolean>;
  /** Those that cannot be read are left out, so that they do not keep the others: `get` says what is wrong with one. */
  list(signal: AbortSignal): Promise<{disk: DiskSpec; intent: Intent}[]>;
}

/** The cell's cluster: everything above over one configuration. */
export type Cell = {
  disks: Disks;
  trash: Trash;
  copies: Copies;
  index: Index;
  usage: Usage;
  leases: Leases;
  intents: Intents;
};
