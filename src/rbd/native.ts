/**
 * The addon's surface, typed. One class per handle, one method per C call; names are librbd's and librados' own.
 * Everything that talks to the cluster returns a promise that settles after at most the deadlines given to `connect`,
 * for each request to the cluster that the call is made of;
 * every failure is an `RbdError` (a wrong argument type rejects with a TypeError). Sizes and offsets are bytes (numbers:
 * librbd's u64 up to 2^53-1, else ERANGE from us). After `close` every call answers EBADF.
 */

/**
 * Options for `connect`. Deadlines are ms and become client_mount_timeout, rados_osd_op_timeout and rados_mon_op_timeout,
 * which are whole seconds: rounded up. 0 is refused (EINVAL), because to Ceph it means for ever.
 */
export type ConnectOptions = {
  /** The cephx user without `client.` */
  user: string;
  /** Path of ceph.conf; read before `options` are applied. */
  conf: string;
  clientMountTimeoutMs: number;
  osdOpTimeoutMs: number;
  monOpTimeoutMs: number;
  /** Any further ceph options, e.g. {keyring: '/…', rbd_cache: 'false'}; they win over the file, the deadlines over them. */
  options?: Record<string, string>;
};

export type CreateOptions = {
  size: number;
  /** log2 of the object size; 22 = 4 MiB. Default: the cluster's rbd_default_order. */
  order?: number;
  /** Feature bits (RBD_FEATURE_*). Default: the cluster's rbd_default_features. */
  features?: number;
};

export type CloneOptions = {
  features?: number;
  order?: number;
  /** 1 needs a protected snapshot, 2 does not; default: librbd's `auto`. */
  cloneFormat?: 1 | 2;
};

export type OpenOptions = {
  /** Opens this snapshot; implies read-only. */
  snapshot?: string;
  readOnly?: boolean;
};

export type ImageSpec = {pool: string; namespace: string; image: string; imageId: string};
export type ParentSpec = ImageSpec & {snapshot: string; snapshotId: number; trash: boolean};
/** One watch on an image's header: `address` as the OSD sees it ("127.0.0.1:0/1234567"), `client` its global id. */
export type Watcher = {address: string; client: number; cookie: number};
export type ChildSpec = ImageSpec & {trash: boolean};
export type Snapshot = {id: number; name: string; size: number};
export type ImageInfo = {size: number; objectSize: number; order: number; features: number; id: string};
export type WriterOptions = {
  /** Bytes of one RADOS object: what is written at once. A power of two from 4096 to 2^25. */
  objectSize: number;
  /** Objects on their way to the cluster at once; one more is being gathered. 1 to 1024. */
  inFlight: number;
  /** Runs of zeros of this size are not written; divides `objectSize`. */
  granule: number;
  /** Digests to compute beside sha512, by OpenSSL's names. */
  digests?: string[];
};
/** `written` leaves the holes out; `digests` are hex, by the name they were asked for. */
export type Written = {received: number; written: number; digests: Record<string, string>};
/** How an image is read back. */
export type ReadBackOptions = {
  /** Bytes read at once, and of one piece. A power of two from 4096 to 2^25. */
  pieceSize: number;
  /** Pieces that are being read or wait to be hashed: the bound on memory. 1 to 1024. */
  inFlight: number;
  /** Runs of zeros of this size do not count as stored; divides `pieceSize`. */
  granule: number;
  /** sha512 of the pieces' sha512s (64 bytes each), in order, instead of all bytes: hashed on several threads, and what is not there costs nothing. */
  inPieces?: boolean;
};
/** `digest` is a sha512, hex; `stored` leaves the holes out. */
export type ReadBackResult = {digest: string; size: number; stored: number};
export type Locker = {client: string; cookie: string; address: string};
export type LockInfo = {lockers: Locker[]; exclusive: boolean; tag: string};

export interface NativeCluster {
  /** rados_cluster_fsid(rados_t, char *buf, size_t len); read once at connect. */
  readonly fsid: string;
  /** rados_get_instance_id: the global id that names this connection as a locker and a watcher: `client.${instanceId}`. */
  readonly instanceId: string;
  /** rados_ioctx_create + rados_set_pool_full_try + rados_ioctx_set_namespace. ENOENT for an unknown pool. */
  openPool(name: string, namespace?: string): Promise<NativePool>;
  /** rados_mon_command; `command` is the JSON text of one command. */
  monCommand(command: string, input?: Uint8Array): Promise<{output: Buffer; status: string}>;
  /** rados_getaddrs: this connection's own addresses ("v1:127.0.0.1:0/123 ..." or one plain address), to tell our watches from others'. */
  readonly addresses: string[];
  /** rados_pool_list */
  listPools(): Promise<string[]>;
  /** Closes every pool and image opened through it, waits for their work, then rados_shutdown off the main thread. Idempotent. */
  close(): Promise<void>;
}

export interface NativePool {
  readonly name: string;
  /** rados_ioctx_get_id */
  readonly id: number;
  /** rbd_create4 */
  createImage(name: string, options: CreateOptions): Promise<void>;
  /** rbd_open / rbd_open_read_only; with `snapshot` opened at it. */
  openImage(name: string, options?: OpenOptions): Promise<NativeImage>;
  /** rbd_remove */
  removeImage(name: string): Promise<void>;
  /** rbd_list2: names and ids from rbd_directory, which may list an image that does not open (a torn clone). */
  listImages(): Promise<{name: string; id: string}[]>;
  /** rbd_clone3 from this pool's `image`@`snapshot` into `destination`. */
  clone(image: string, snapshot: string, destination: NativePool, name: string, options?: CloneOptions): Promise<void>;
  /** rados_read_op_omap_get_vals_by_keys2; keys that are not there are not in the map. A missing object is an empty map. */
  omapGet(object: string, keys: string[]): Promise<Map<string, Buffer>>;
  /** rados_read_op_omap_get_vals2, one page: keys after `after` in order, with `more` when there are others. A missing object is empty. */
  omapList(
    object: string,
    options?: {after?: string; prefix?: string; max?: number},
  ): Promise<{entries: Map<string, Buffer>; more: boolean}>;
  /**
   * One rados_write_op: create (idempotent), omap_cmp EQ for each `expect` (undefined: must be absent), then omap_set and
   * omap_rm_keys. Resolves true when applied, false on ECANCELED (somebody was faster). `set` values must not be empty:
   * the OSD's omap_cmp takes a missing key for an empty value. So an empty `expect` or `set` value is EINVAL.
   */
  omapCompareAndSet(
    object: string,
    change: {expect?: Record<string, Uint8Array | undefined>; set?: Record<string, Uint8Array>; remove?: string[]},
  ): Promise<boolean>;
  /** rados_write_op_create(LIBRADOS_CREATE_EXCLUSIVE) with omap_set in the same op: false on EEXIST. */
  createExclusive(object: string, omap?: Record<string, Uint8Array>): Promise<boolean>;
  /** rados_stat: undefined when there is no such object. The time has whole seconds. */
  statObject(object: string): Promise<{size: number; mtimeMs: number} | undefined>;
  /** rados_remove; false when there was none. */
  removeObject(object: string): Promise<boolean>;
  /** rados_nobjects_list_*: object ids with the prefix, for sweeps of small pools. */
  listObjects(prefix: string): Promise<string[]>;
  /**
   * rados_lock_exclusive. false when somebody else holds it (EBUSY). `renew`: 'may' also renews our own, 'must' only renews
   * (false when it is not ours any more, ENOENT); without it one that is ours already is EEXIST. The lease is on the OSD's
   * clock. A duration of 0 is refused (EINVAL): that lock would never expire.
   */
  lockExclusive(
    object: string,
    lock: {name: string; cookie: string; description: string; durationMs: number; renew?: 'may' | 'must'},
  ): Promise<boolean>;
  /** rados_unlock: false when it was not ours (ENOENT). */
  unlock(object: string, name: string, cookie: string): Promise<boolean>;
  /** rados_list_lockers; no lockers when free or expired. */
  listLockers(object: string, name: string): Promise<LockInfo>;
  /** rados_break_lock: false when that locker did not hold it. */
  breakLock(object: string, name: string, client: string, cookie: string): Promise<boolean>;
  /**
   * One rados_write_op: cls `lock.assert_locked` (exclusive, this cookie of this connection) and rados_write_op_remove: takes the
   * object away with its lock, only while we hold it. false when we do not (ENOENT, EBUSY), and nothing was removed.
   */
  removeLocked(object: string, lockName: string, cookie: string): Promise<boolean>;
  /**
   * rados_exec: calls a method of an object class: one that reads, e.g. rbd's `get_children`, or one that writes and answers
   * nothing, e.g. `set_size`. The answer's bytes as they are (64 KiB, asked again with more if that is too small).
   */
  exec(object: string, objectClass: string, method: string, input: Uint8Array): Promise<Buffer>;
  /**
   * rados_watch3: from now on what others `notify` on the object is kept for `next`. ENOENT for a missing object. `timeoutMs`:
   * how long the OSD keeps the watch of a client that is gone (whole seconds, rounded up; default: osd_client_watch_timeout).
   */
  watch(object: string, options?: {timeoutMs?: number}): Promise<NativeWatch>;
  /**
   * rados_aio_notify: tells every watcher of the object, and waits until each has acknowledged or `timeoutMs` (whole seconds,
   * rounded up) is over. Those that did not are counted, and no error; ETIMEDOUT when the OSD says nothing for `osdOpTimeoutMs`
   * more. A missing object has no watchers. The payload is copied.
   */
  notify(object: string, payload: Uint8Array, timeoutMs: number): Promise<{acks: number; timeouts: number}>;
  /** Closes every image and watch opened through it, waits for work in flight, rados_ioctx_destroy. Idempotent. */
  close(): Promise<void>;
}

export interface NativeImage {
  readonly name: string;
  /** rbd_stat + rbd_get_features + rbd_get_id. Fresh on a writable image; a read-only one has no watch and keeps what it saw when opened. */
  info(): Promise<ImageInfo>;
  /** rbd_aio_read into `buffer` (fs.read style); resolves the bytes read, fewer at the end, 0 after it. The buffer is borrowed until it settles. */
  read(offset: number, buffer: Uint8Array): Promise<number>;
  /**
   * rbd_aio_write. The buffer is borrowed, not copied: do not change it until the promise settles. What reaches beyond the
   * end is EINVAL (librbd would cut it and call it a success), by the size as of open, `resize` or the last `info`.
   */
  write(offset: number, buffer: Uint8Array): Promise<void>;
  /** rbd_aio_write_zeroes */
  writeZeroes(offset: number, length: number): Promise<void>;
  /** rbd_aio_discard */
  discard(offset: number, length: number): Promise<void>;
  /** rbd_aio_flush */
  flush(): Promise<void>;
  /** Writes a stream of bytes from the start. Throws: a TypeError, EINVAL (limits, unknown digest) or EBADF (the image is closed). */
  writer(options: WriterOptions): NativeWriter;
  /**
   * Reads and hashes all that the image holds, by the size as of open, on the addon's threads: what rbd_diff_iterate2 does not
   * tell of is zeros, and is not read. Throws: a TypeError, EINVAL (limits) or EBADF (the image is closed).
   */
  readBack(options: ReadBackOptions): NativeReadBack;
  /** rbd_resize2(allow_shrink = false by default: shrinking is EINVAL). */
  resize(size: number, options?: {allowShrink?: boolean}): Promise<void>;
  /** rbd_snap_create */
  createSnapshot(name: string): Promise<void>;
  /** rbd_snap_protect */
  protectSnapshot(name: string): Promise<void>;
  /** rbd_snap_unprotect */
  unprotectSnapshot(name: string): Promise<void>;
  /** rbd_snap_is_protected */
  isSnapshotProtected(name: string): Promise<boolean>;
  /** rbd_snap_remove2 */
  removeSnapshot(name: string): Promise<void>;
  /** rbd_snap_list (user snapshots only) */
  listSnapshots(): Promise<Snapshot[]>;
  /** rbd_get_parent; undefined when it has none (ENOENT). */
  parent(): Promise<ParentSpec | undefined>;
  /** rbd_list_children3 of the snapshot this image was opened at, or of all snapshots of the head. */
  children(): Promise<ChildSpec[]>;
  /** rbd_diff_iterate2(from start, own data only, whole objects), stopped at the first extent: does the image hold any data of its own? */
  hasOwnData(): Promise<boolean>;
  /** rbd_watchers_list: who has the image open for writing; our own watch is in it when we have. */
  watchers(): Promise<Watcher[]>;
  /** rbd_flatten */
  flatten(): Promise<void>;
  /** rbd_metadata_list keys and values: clones inherit them, so a cached copy must have none. */
  metadata(): Promise<Record<string, string>>;
  /** Refuses new calls (EBADF), waits for those in flight, rbd_aio_close. Idempotent. */
  close(): Promise<void>;
}

/** One notify: its bytes, the first 4096 of them, and who sent it, as lockers are named: `client.${instanceId}`. */
export type Notice = {payload: Buffer; notifier: string};

/** A watch on an object. Every notify is acknowledged at once, whether anybody asks for it or not. */
export interface NativeWatch {
  /**
   * The next notify in order; undefined when none came in `timeoutMs`. Kept until it is asked for, the newest 256. After what is
   * kept it fails when the watch is broken (ENOTCONN: the object was removed, or the OSD dropped us; ESHUTDOWN: blocklisted):
   * notifies may have been missed, close it and watch again. close() ends it with EBADF.
   */
  next(timeoutMs: number): Promise<Notice | undefined>;
  /** rados_aio_unwatch, rados_watch_flush. Idempotent. */
  close(): Promise<void>;
}

/**
 * The bytes of an image in order, on the addon's threads: hashed, gathered into whole objects, and written with rbd_aio_write
 * where they are not zero. Memory: (inFlight + 1) objects, and as much again at most that librbd copies. A child of its image:
 * closing that closes this first.
 */
export interface NativeWriter {
  /**
   * The chunk is borrowed until the promise settles, which it does when the bytes have been hashed and copied: late when
   * all objects are on their way, so wait for it now and then. Several may be pending; they are taken in order. What reaches
   * beyond the image's end is EINVAL, and none of it is taken. After a write has failed, its error (rbd_aio_write): then
   * nothing more is written.
   */
  append(chunk: Uint8Array): Promise<void>;
  /** Writes the last object, waits for every write, then rbd_aio_flush. Fails with the first write's error. Once: then EINVAL. */
  finish(): Promise<Written>;
  /** Refuses new calls (EBADF), waits for those pending and for the writes on their way. Without finish() the last object is not written. Idempotent. */
  close(): Promise<void>;
}

/** An image on its way to its digest. Closing the image waits for it. */
export interface NativeReadBack {
  /** Fails with the first read's error (rbd_aio_read, rbd_diff_iterate2), or ECANCELED. */
  readonly result: Promise<ReadBackResult>;
  /** Bytes from the start that are in the digest by now. */
  readonly position: number;
  /** Nothing more is read: `result` fails as soon as the reads on their way have ended. Idempotent. */
  cancel(): void;
}

/** Digests of bytes that come in order, on the addon's threads. It needs no cluster. */
export interface NativeHasher {
  /** The chunk is borrowed until the promise settles: it was looked at. Several may be pending; they are taken in order. */
  update(chunk: Uint8Array): Promise<void>;
  /** The digests, hex, by the name they were asked for, after everything before it. Once: then EINVAL. */
  finish(): Promise<Record<string, string>>;
  /** Refuses new calls (EBADF), waits for those pending. Idempotent. */
  close(): Promise<void>;
}

export interface NativeBinding {
  connect(options: ConnectOptions): Promise<NativeCluster>;
  /** Digests by OpenSSL's names, at least one. Throws: a TypeError, or EINVAL for one there is not. */
  hasher(digests: string[]): NativeHasher;
  /** rbd_version and rados_version of the library in use. */
  versions(): {librbd: string; librados: string};
  /** Work queued and running on the addon's threads, and data-plane operations in flight: for metrics. */
  counters(): {queued: number; running: number; inFlight: number};
  /**
   * fcntl F_OFD_SETLK, F_WRLCK on the whole file, without waiting: false when somebody else has a lock on it, of this kind or by
   * lockf(3). It ends when `fd`, which must be open for writing, is closed. Throws an RbdError; nothing is asked of a cluster.
   */
  tryLockFile(fd: number): boolean;
  /**
   * fcntl F_SETLEASE, F_WRLCK: false when any other process, or another descriptor of this one, has the file open. Until `fd` is
   * closed whoever opens the file waits (at most fs.lease-break-time, 45 s). Throws an RbdError: EACCES for who is neither the
   * file's owner nor has CAP_LEASE, EINVAL where the file system has no leases.
   */
  tryLeaseFile(fd: number): boolean;
  /** Settled by the next of the addon's threads that has time, before everything that is queued. No cluster is asked. */
  ping(): Promise<void>;
  /** How many threads the addon has at most. */
  readonly threadLimit: number;
}
