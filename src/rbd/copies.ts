import {setTimeout as sleep} from 'node:timers/promises';
import {CellarError} from '../core/errors.ts';
import type {
  Copies,
  CopyDigest,
  CopyWriter,
  DigestOptions,
  SnapshotSpec,
  WriteOptions,
  Written,
} from '../core/ports.ts';
import type {Connection} from './connection.ts';
import {removeImage, withImage} from './disks.ts';
import {causeOf, fromRbd, isRbdError} from './errors.ts';
import {readFeatures, readImageId} from './header.ts';
import {attachedChildren, checkPools, hasAttachedChildren} from './lineage.ts';
import type {NativeCluster, NativeImage, NativePool, NativeWriter} from './native.ts';
import {readBack} from './read-back.ts';
import {type Room, roomOf} from './room.ts';

/** The snapshot every copy has: Glance's, Nova's and Cinder's own name for it, so that a copy can be a Glance location. */
export const copySnapshot = 'snap';

/** 4 MiB objects: rbd's own default, and what clones inherit. */
const order = 22;

/** Runs of zeros shorter than this are written: a hole costs an extent in the object, and the guest's file system rarely leaves smaller ones. */
const granule = 64 * 1024;

export type CopiesOptions = {connection: Connection; pool: string; busyTimeout: number};

/** `Copies` on librbd, on a connection of its own: a filler that is fenced off must not take the clones with it. */
export class RbdCopies implements Copies {
  readonly pool: string;
  readonly #connection: Connection;
  readonly #busyTimeout: number;

  constructor({connection, pool, busyTimeout}: CopiesOptions) {
    this.pool = pool;
    this.#connection = connection;
    this.#busyTimeout = busyTimeout;
  }

  async create(
    name: string,
    size: number,
    signal: AbortSignal,
    {digests = [], inFlight = 8}: WriteOptions = {},
  ): Promise<CopyWriter> {
    return this.#connection.use(this.pool, signal, async pool => {
      await pool.omapCompareAndSet('rbd_trash', {}); // rbd_remove needs it, and cannot make it once the cluster is full
      await createImage(pool, name, size);
      const image = await pool.openImage(name);
      try {
        const writer = image.writer({objectSize: 2 ** order, granule, digests, inFlight});
        return new RbdCopyWriter(pool.name, name, image, writer);
      } catch (error) {
        await image.close().catch(() => {}); // a watch of our own would keep it from being removed
        throw error;
      }
    });
  }

  async list(signal: AbortSignal): Promise<string[]> {
    const images = await this.#connection.use(this.pool, signal, pool => pool.listImages());
    return images.map(({name}) => name);
  }

  async hasClones(name: string, signal: AbortSignal): Promise<boolean> {
    return this.#connection.use(this.pool, signal, async (pool, cluster) => {
      try {
        return await withImage(pool, name, {readOnly: true}, async image => {
          for (const {id} of await image.listSnapshots()) {
            const children = await attachedChildren(pool, image, id);
            if (children.length === 0) continue;
            await checkPools(cluster, children, `${pool.name}/${name}`);
            return true;
          }
          return (await image.children()).length > 0;
        });
      } catch (error) {
        if (isRbdError(error, 'ENOENT')) return false;
        if (isRbdError(error, 'EPERM', 'EACCES')) return true; // listed in a pool that we may not look into
        throw error;
      }
    });
  }

  async digest(name: string, snapshot: string, signal: AbortSignal, options: DigestOptions): Promise<CopyDigest> {
    const image = await this.#connection.use(this.pool, signal, pool => pool.openImage(name, {snapshot}));
    try {
      return await readBack(image, {...options, granule, signal});
    } catch (error) {
      throw fromRbd(error, {object: `${this.pool}/${name}`});
    } finally {
      await image.close();
    }
  }

  async room(signal: AbortSignal): Promise<Room | undefined> {
    const cluster = await this.#connection.cluster(signal);
    try {
      const {output} = await cluster.monCommand(JSON.stringify({prefix: 'df', format: 'json'}));
      return roomOf(output.toString(), this.pool);
    } catch (error) {
      throw fromRbd(error);
    }
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    for (let wait = 250; ; wait = Math.min(wait * 2, 4000)) {
      try {
        return await this.#connection.use(this.pool, signal, (pool, cluster) => tryRemove(pool, cluster, name));
      } catch (error) {
        if (!isRbdError(causeOf(error), 'EBUSY') || performance.now() - started > this.#busyTimeout) throw error;
      }
      await sleep(wait, undefined, {signal});
    }
  }
}

/** layering, to be cloned; exclusive-lock, which is what keeps a filler from writing to what was removed while it slept. */
const needed = 1 | 4;

/** With the features of `rbd_default_features`, which disks that we clone of it get too, and with those that a copy cannot do without. */
async function createImage(pool: NativePool, name: string, size: number): Promise<void> {
  await pool.createImage(name, {size, order});
  const id = await readImageId(pool, name);
  const features = id === undefined ? undefined : await readFeatures(pool, id);
  if (features === undefined || (features & needed) === needed) return;
  await pool.removeImage(name);
  await pool.createImage(name, {size, order, features: features | needed});
}

/** One attempt. Whoever still has this generation open lost its lease or died: it is fenced off, so that nothing is written to what we remove. */
async function tryRemove(pool: NativePool, cluster: NativeCluster, name: string): Promise<void> {
  try {
    await withImage(pool, name, {}, async image => {
      await fenceOthers(image, cluster);
      await removeSnapshots(pool, image, name);
    });
  } catch (error) {
    if (!isRbdError(error, 'ENOENT')) throw error; // torn or absent: rbd_remove takes away what is left
  }
  await removeImage(pool, name);
}

async function removeSnapshots(pool: NativePool, image: NativeImage, name: string): Promise<void> {
  for (const {id, name: snapshot} of await image.listSnapshots()) {
    if (await hasAttachedChildren(pool, image, id)) throw inUse(pool.name, name);
    if (await image.isSnapshotProtected(snapshot)) {
      await image.unprotectSnapshot(snapshot).catch(error => {
        throw isRbdError(error, 'EBUSY') ? inUse(pool.name, name) : error;
      });
    }
    await image.removeSnapshot(snapshot);
  }
}

/** `osd blocklist add`, which `profile rbd` allows for one client's address: its session ends at once, on every OSD. */
async function fenceOthers(image: NativeImage, cluster: NativeCluster): Promise<void> {
  for (const {address} of await image.watchers()) {
    if (cluster.addresses.some(own => own.endsWith(address))) continue;
    await cluster.monCommand(JSON.stringify({prefix: 'osd blocklist', blocklistop: 'add', addr: address}));
  }
}

const inUse = (pool: string, name: string) =>
  new CellarError('conflict', `the copy ${pool}/${name} has clones`, {
    hint: 'it can go when the last of them is gone: `rbd children`',
    object: `${pool}/${name}`,
  });

class RbdCopyWriter implements CopyWriter {
  readonly #pool: string;
  readonly #name: string;
  readonly #image: NativeImage;
  readonly #writer: NativeWriter;

  constructor(pool: string, name: string, image: NativeImage, writer: NativeWriter) {
    this.#pool = pool;
    this.#name = name;
    this.#image = image;
    this.#writer = writer;
  }

  async append(chunk: Uint8Array): Promise<void> {
    await this.#tell(() => this.#writer.append(chunk));
  }

  async finish(): Promise<Written> {
    return this.#tell(() => this.#writer.finish());
  }

  async seal(signal: AbortSignal): Promise<SnapshotSpec> {
    await this.#tell(async () => {
      await this.#image.flush();
      signal.throwIfAborted();
      await this.#image.createSnapshot(copySnapshot);
      await this.#image.protectSnapshot(copySnapshot);
      await this.#image.close();
    });
    return {pool: this.#pool, image: this.#name, snapshot: copySnapshot};
  }

  async abandon(): Promise<void> {
    await this.#image.close().catch(() => {}); // what counts was said by append, finish or seal
  }

  async #tell<V>(work: () => Promise<V>): Promise<V> {
    try {
      return await work();
    } catch (error) {
      throw fromRbd(error, {object: `${this.#pool}/${this.#name}`});
    }
  }
}
