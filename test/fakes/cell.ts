import {createHash, randomUUID} from 'node:crypto';
import {digestPiece} from '../../src/core/digest.ts';
import type {Entry} from '../../src/core/entry.ts';
import {CellarError} from '../../src/core/errors.ts';
import {type Retired, replaced} from '../../src/core/evict.ts';
import {formatSnapshot, sameSnapshot} from '../../src/core/location.ts';
import type {
  Cell,
  CopyDigest,
  CopyWriter,
  DigestOptions,
  DiskSpec,
  DiskState,
  Intent,
  Lease,
  ParentState,
  SnapshotSpec,
  WriteOptions,
} from '../../src/core/ports.ts';
import {FakeNews} from './news.ts';

type FakeImage = {
  data: Buffer;
  size: number;
  /** Did anybody write to it? */
  own: boolean;
  parent?: SnapshotSpec;
  registered: boolean;
  snapshots: Map<string, {protected: boolean; data: Buffer}>;
};

/** A cell's cluster in memory, for tests of the core. It passes the suites that real Ceph passes. */
export class FakeCell implements Cell {
  readonly id = randomUUID();
  readonly images = new Map<string, FakeImage>();
  readonly torn = new Set<string>();
  /** Disks whose removal was broken off. */
  readonly trashed = new Set<string>();
  readonly pools = new Set<string>();
  readonly forbidden = new Set<string>();
  readonly entries = new Map<string, string>();
  readonly claims = new Map<string, string>();
  readonly pinned = new Set<string>();
  /** What is written down of retired copies, by the copy's name. */
  readonly retiredCopies = new Map<string, string>();
  readonly lastUse = new Map<string, number>();
  /** What `copies.room` answers. */
  room: {used: number; available: number} | undefined;
  readonly held = new Map<string, string>();
  readonly journal = new Map<string, string>();
  readonly cachePool: string;
  /** Called before each step by its name; what it throws, the step fails with. */
  before: (step: string, object: string) => void | Promise<void> = async () => {};

  constructor({cachePool = 'cellar', pools = ['vms', 'images']}: {cachePool?: string; pools?: string[]} = {}) {
    this.cachePool = cachePool;
    for (const pool of [cachePool, ...pools]) this.pools.add(pool);
  }

  readonly disks = {
    fsid: async () => {
      await this.before('fsid', this.id);
      return this.id;
    },
    hasPool: async (pool: string) => {
      await this.before('has-pool', pool);
      return this.pools.has(pool);
    },
    parentState: async (parent: SnapshotSpec): Promise<ParentState> => {
      await this.before('parent-state', parent.image);
      if (!this.pools.has(parent.pool)) return {clonable: false, why: `there is no pool ${parent.pool}`};
      if (this.forbidden.has(parent.pool))
        return {clonable: false, why: `this agent's key may not read pool ${parent.pool}`};
      const snapshot = this.images.get(`${parent.pool}/${parent.image}`)?.snapshots.get(parent.snapshot);
      if (snapshot === undefined) return {clonable: false, why: `there is no ${formatSnapshot(parent)}`};
      if (!snapshot.protected)
        return {clonable: false, why: 'the snapshot is not protected, and clones of format 1 need that'};
      return {clonable: true, size: snapshot.data.length};
    },
    state: async (disk: DiskSpec): Promise<DiskState> => {
      await this.before('state', disk.name);
      this.#inPool(disk.pool);
      const image = this.images.get(key(disk));
      if (image === undefined)
        return this.torn.has(key(disk)) ? {kind: 'torn', why: 'the directory names it'} : {kind: 'absent'};
      return {
        kind: 'image',
        size: image.size,
        parent: image.parent,
        registered: image.parent === undefined || image.registered,
        empty: !image.own && image.snapshots.size === 0,
      };
    },
    clone: async (parent: SnapshotSpec, disk: DiskSpec, signal: AbortSignal): Promise<'cloned' | 'exists'> => {
      signal.throwIfAborted();
      await this.before('clone', disk.name);
      this.#inPool(disk.pool);
      const snapshot = this.images.get(`${parent.pool}/${parent.image}`)?.snapshots.get(parent.snapshot);
      if (snapshot === undefined) throw new CellarError('not-found', `there is no ${formatSnapshot(parent)}`);
      if (this.images.has(key(disk)) || this.torn.has(key(disk))) return 'exists';
      this.images.set(key(disk), {
        data: snapshot.data,
        size: snapshot.data.length,
        own: false,
        parent: {...parent},
        registered: true,
        snapshots: new Map(),
      });
      return 'cloned';
    },
    grow: async (disk: DiskSpec, size: number, _signal: AbortSignal): Promise<void> => {
      await this.before('grow', disk.name);
      const image = this.images.get(key(disk));
      if (image === undefined) throw new CellarError('not-found', 'no such disk');
      image.size = Math.max(image.size, size);
    },
    complete: async (_parent: SnapshotSpec, disk: DiskSpec, size: number | undefined, signal: AbortSignal) => {
      if (size !== undefined) await this.disks.grow(disk, size, signal);
      const state = await this.disks.state(disk);
      if (state.kind !== 'image') return undefined;
      return {size: state.size, parent: state.parent, registered: state.registered};
    },
    remove: async (disk: DiskSpec) => {
      await this.before('remove', disk.name);
      if (this.images.get(key(disk))?.snapshots.size) throw new CellarError('conflict', 'it has snapshots');
      this.images.delete(key(disk));
      this.torn.delete(key(disk));
      this.trashed.delete(key(disk));
    },
  };

  readonly trash = {
    holds: async (disk: DiskSpec) => {
      await this.before('trash', disk.name);
      return this.trashed.has(key(disk));
    },
  };

  get copies() {
    return {
      pool: this.cachePool,
      create: async (
        name: string,
        size: number,
        _signal: AbortSignal,
        {digests = []}: WriteOptions = {},
      ): Promise<CopyWriter> => {
        await this.before('create', name);
        const full = `${this.cachePool}/${name}`;
        if (this.images.has(full)) throw new CellarError('conflict', 'it exists');
        const image: FakeImage = {data: Buffer.alloc(size), size, own: false, registered: true, snapshots: new Map()};
        this.images.set(full, image);
        return this.#writer(name, image, digests);
      },
      list: async () => {
        await this.before('list-copies', this.cachePool);
        return [...this.images.keys(), ...this.torn]
          .filter(name => name.startsWith(`${this.cachePool}/`))
          .map(name => name.slice(this.cachePool.length + 1));
      },
      remove: async (name: string) => {
        await this.before('remove-copy', name);
        if (this.#hasClones(name)) throw new CellarError('conflict', 'it has clones');
        this.images.delete(`${this.cachePool}/${name}`);
        this.torn.delete(`${this.cachePool}/${name}`);
      },
      hasClones: async (name: string) => {
        await this.before('has-clones', name);
        return this.#hasClones(name);
      },
      digest: (name: string, snapshot: string, signal: AbortSignal, options: DigestOptions) =>
        this.#digest(name, snapshot, signal, options),
      room: async () => {
        await this.before('room', this.cachePool);
        return this.room;
      },
    };
  }

  readonly index = {
    get: async (imageId: string) => {
      await this.before('index-get', imageId);
      return this.#entry(this.entries.get(imageId));
    },
    list: async () => {
      await this.before('index-list', this.cachePool);
      return [...this.entries.values()].map(text => JSON.parse(text) as Entry);
    },
    survey: async () => {
      await this.before('survey', this.cachePool);
      const read = <V>(all: Map<string, string>) => [...all.values()].map(text => JSON.parse(text) as V);
      return {
        entries: read<Entry>(this.entries),
        retired: read<Retired>(this.retiredCopies),
        pins: [...this.pinned],
        claims: [...this.claims].map(([image, generation]) => ({image, generation})),
      };
    },
    claim: async (imageId: string, generation: string) => {
      await this.before('claim', imageId);
      this.claims.set(imageId, generation);
    },
    publish: async (entry: Entry, replaces: Entry | undefined) => {
      await this.before('publish', entry.image);
      if (this.claims.get(entry.image) !== entry.generation) return false;
      if (this.entries.get(entry.image) !== (replaces && JSON.stringify(replaces))) return false;
      this.entries.set(entry.image, JSON.stringify(entry));
      if (replaces !== undefined) this.retiredCopies.set(replaces.rbdImage, JSON.stringify(replaced(replaces)));
      this.claims.delete(entry.image);
      return true;
    },
    unclaim: async (imageId: string, generation: string) => {
      await this.before('unclaim', imageId);
      return this.claims.get(imageId) === generation && this.claims.delete(imageId);
    },
    claims: async () => [...this.claims].map(([image, generation]) => ({image, generation})),
    retire: async (entry: Entry, retired: Retired, _: AbortSignal, {sparePinned = false} = {}) => {
      await this.before('retire', entry.image);
      if (sparePinned && this.pinned.has(entry.image)) return false;
      if (this.entries.get(entry.image) !== JSON.stringify(entry)) return false;
      this.retiredCopies.set(entry.rbdImage, JSON.stringify(retired));
      return this.entries.delete(entry.image);
    },
    retired: async () => {
      await this.before('retired', this.cachePool);
      return [...this.retiredCopies.values()].map(text => JSON.parse(text) as Retired);
    },
    forget: async (retired: Retired, _: AbortSignal, instead?: Retired) => {
      await this.before('forget', retired.rbdImage);
      if (this.retiredCopies.get(retired.rbdImage) !== JSON.stringify(retired)) return false;
      if (instead === undefined) return this.retiredCopies.delete(retired.rbdImage);
      this.retiredCopies.set(retired.rbdImage, JSON.stringify(instead));
      return true;
    },
    pins: async () => {
      await this.before('pins', this.cachePool);
      return [...this.pinned];
    },
    pin: async (imageId: string) => {
      this.pinned.add(imageId);
    },
    unpin: async (imageId: string) => {
      this.pinned.delete(imageId);
    },
  };

  readonly usage = {
    touch: async (lastUse: ReadonlyMap<string, number>) => {
      await this.before('touch', this.cachePool);
      for (const [image, at] of lastUse) this.lastUse.set(image, Math.max(at, this.lastUse.get(image) ?? 0));
    },
    forget: async (images: readonly string[]) => {
      for (const image of images) this.lastUse.delete(image);
    },
    list: async () => {
      await this.before('usage', this.cachePool);
      return new Map(this.lastUse);
    },
  };

  readonly leases = {
    acquire: async (name: string): Promise<Lease | undefined> => {
      await this.before('acquire', name);
      if (this.held.has(name)) return undefined;
      const cookie = randomUUID();
      this.held.set(name, cookie);
      const lost = new AbortController();
      this.lose = () => lost.abort(new Error('lost'));
      const isHeld = () => this.held.get(name) === cookie;
      const tell = (news: string) => {
        if (isHeld()) this.news.tell(name, news);
      };
      const release = async () => {
        if (await fails(() => this.before('release', name))) return;
        if (isHeld()) {
          this.held.delete(name);
          this.news.end(name);
        }
        this.abandoned.delete(name);
      };
      return {lost: lost.signal, tell, release};
    },
    follow: async (name: string) => {
      await this.before('follow', name);
      return this.held.has(name) || this.abandoned.has(name) ? this.news.follow(name) : undefined;
    },
    holder: async (name: string) => this.held.get(name),
    list: async (prefix: string) => [...this.held.keys(), ...this.abandoned].filter(name => name.startsWith(prefix)),
  };
  /** Leases whose holder died: they can be taken, but their object is there. */
  readonly abandoned = new Set<string>();

  /** What is told of leases, and those who follow them. */
  readonly news = new FakeNews();

  /** Makes the last lease that was given lost. */
  lose = () => {};

  readonly intents = {
    get: async (disk: DiskSpec) => {
      await this.before('intent-get', disk.name);
      return parse(this.journal.get(key(disk)));
    },
    put: async (disk: DiskSpec, intent: Intent, expected: Intent | undefined) => {
      await this.before('intent', disk.name);
      if (this.journal.get(key(disk)) !== (expected && JSON.stringify(expected))) return false;
      this.journal.set(key(disk), JSON.stringify(intent));
      return true;
    },
    clear: async (disk: DiskSpec, intent: Intent) => {
      await this.before('clear', disk.name);
      return this.journal.get(key(disk)) === JSON.stringify(intent) && this.journal.delete(key(disk));
    },
    list: async () =>
      [...this.journal].map(([name, text]) => ({
        disk: {pool: name.split('/')[0] ?? '', name: name.split('/')[1] ?? ''},
        intent: JSON.parse(text) as Intent,
      })),
  };

  /** The bytes a guest would read. */
  read(disk: DiskSpec): Buffer {
    const image = this.images.get(key(disk));
    if (image === undefined) throw new Error(`no ${key(disk)}`);
    return Buffer.concat([image.data, Buffer.alloc(image.size - image.data.length)]);
  }

  /** An image as somebody else would have put it there. */
  put({pool, image, snapshot}: SnapshotSpec, data: Buffer, isProtected = true): void {
    this.images.set(`${pool}/${image}`, {
      data,
      size: data.length,
      own: true,
      registered: true,
      snapshots: new Map([[snapshot, {protected: isProtected, data}]]),
    });
  }

  hasChildren(parent: SnapshotSpec): boolean {
    return [...this.images.values()].some(image => image.parent !== undefined && sameSnapshot(image.parent, parent));
  }

  #writer(name: string, image: FakeImage, digests: string[]): CopyWriter {
    const hashes = [...new Set(['sha512', ...digests])].map(algo => ({algo, hash: createHash(algo)}));
    let [promised, received, finished] = [0, 0, false];
    let taken = Promise.resolve();
    const take = async (chunk: Uint8Array) => {
      await this.before('write', name);
      for (const {hash} of hashes) hash.update(chunk);
      image.own ||= chunk.some(byte => byte !== 0);
      Buffer.from(chunk).copy(image.data, received);
      received += chunk.length;
    };
    return {
      append: async chunk => {
        if (finished || promised + chunk.length > image.size) throw new CellarError('internal', 'not to be appended');
        promised += chunk.length;
        taken = taken.then(() => take(chunk));
        await taken;
      },
      finish: async () => {
        if (finished) throw new CellarError('internal', 'it was finished');
        finished = true;
        await taken;
        const ends = hashes.map(({algo, hash}) => [algo, hash.digest('hex')]);
        return {received, written: dataIn(image.data.subarray(0, received)), digests: Object.fromEntries(ends)};
      },
      seal: async () => {
        await this.before('seal', name);
        image.snapshots.set('snap', {protected: true, data: Buffer.from(image.data)});
        return {pool: this.cachePool, image: name, snapshot: 'snap'};
      },
      abandon: async () => {
        await taken.catch(() => {});
      },
    };
  }

  #hasClones(name: string): boolean {
    return [...this.images.values()].some(({parent}) => parent?.pool === this.cachePool && parent.image === name);
  }

  async #digest(
    name: string,
    snapshot: string,
    signal: AbortSignal,
    {form, onProgress}: DigestOptions,
  ): Promise<CopyDigest> {
    const found = this.images.get(`${this.cachePool}/${name}`)?.snapshots.get(snapshot);
    if (found === undefined) throw new CellarError('not-found', `there is no ${name}@${snapshot}`);
    const {data} = found;
    const hash = createHash('sha512');
    for (let at = 0; at < data.length; at += digestPiece) {
      await this.before('read', name);
      signal.throwIfAborted();
      const piece = data.subarray(at, at + digestPiece);
      hash.update(form === 'pieces' ? createHash('sha512').update(piece).digest() : piece);
      onProgress?.(at + piece.length);
    }
    return {digest: hash.digest('hex'), size: data.length, stored: dataIn(data)};
  }

  #inPool(pool: string): void {
    if (!this.pools.has(pool)) throw new CellarError('not-found', `there is no pool ${pool}`);
  }

  #entry = (text: string | undefined): Entry | undefined =>
    text === undefined ? undefined : (JSON.parse(text) as Entry);
}

/** Bytes of the granules that are not all zeros. */
function dataIn(data: Buffer, granule = 64 * 1024): number {
  const zeros = Buffer.alloc(granule);
  let bytes = 0;
  for (let at = 0; at < data.length; at += granule) {
    const part = data.subarray(at, at + granule);
    if (zeros.compare(part, 0, part.length, 0, part.length) !== 0) bytes += part.length;
  }
  return bytes;
}

/** Releasing never fails: it is not done, and the lease stays until it ends. */
async function fails(step: () => void | Promise<void>): Promise<boolean> {
  try {
    await step();
    return false;
  } catch {
    return true;
  }
}

const key = ({pool, name}: DiskSpec): string => `${pool}/${name}`;

const parse = (text: string | undefined): Intent | undefined =>
  text === undefined ? undefined : (JSON.parse(text) as Intent);
