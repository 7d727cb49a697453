import {setTimeout as sleep} from 'node:timers/promises';
import {CellarError} from '../core/errors.ts';
import {formatSnapshot} from '../core/location.ts';
import type {Completed, DiskSpec, DiskState, Disks, ParentState, SnapshotSpec} from '../core/ports.ts';
import type {CloneFormat} from './clone-format.ts';
import type {Connection} from './connection.ts';
import {Reader} from './encoding.ts';
import {causeOf, isRbdError} from './errors.ts';
import {completeFresh} from './fresh.ts';
import {type Protection, readImageId} from './header.ts';
import {isRegistered} from './lineage.ts';
import type {NativeImage, NativePool, ParentSpec} from './native.ts';
import {lookAtSnapshot} from './parent.ts';

export type DisksOptions = {
  connection: Connection;
  cloneFormat: CloneFormat;
  /** ms to wait for a dead client's watch to end (osd_client_watch_timeout is 30 s) before "in use" is believed. */
  busyTimeout: number;
};

/**
 * Of format 1. Who tries to unprotect a snapshot marks it first, then looks for clones, and takes the mark back when there is one: a
 * clone that comes between is EINVAL, of a parent that is as good as ever a moment later. ms until that is believed; librbd looks
 * through all pools in between.
 */
const unprotectPatience = 2500;

/** ms between two looks. */
const unprotectPoll = 100;

/** `Disks` on librbd. */
export class RbdDisks implements Disks {
  readonly #connection: Connection;
  readonly #cloneFormat: CloneFormat;
  readonly #busyTimeout: number;

  constructor({connection, cloneFormat, busyTimeout}: DisksOptions) {
    this.#connection = connection;
    this.#cloneFormat = cloneFormat;
    this.#busyTimeout = busyTimeout;
  }

  async fsid(signal: AbortSignal): Promise<string> {
    return (await this.#connection.cluster(signal)).fsid;
  }

  hasPool(pool: string, signal: AbortSignal): Promise<boolean> {
    return this.#connection.hasPool(pool, signal);
  }

  async parentState(parent: SnapshotSpec, signal: AbortSignal): Promise<ParentState> {
    const format = await this.#cloneFormat(signal);
    const until = performance.now() + unprotectPatience;
    try {
      for (;;) {
        const {size, protection} = await this.#connection.use(
          parent.pool,
          signal,
          async pool => (await lookAtSnapshot(pool, parent.image, parent.snapshot)) ?? openSnapshot(pool, parent),
        );
        if (protection === 'protected' || format === 2) return {clonable: true, size};
        if (protection === 'unprotected' || performance.now() >= until)
          return {clonable: false, why: 'the snapshot is not protected, and clones of format 1 need that'};
        await sleep(unprotectPoll, undefined, {signal});
      }
    } catch (error) {
      const why = whyNot(error, parent);
      if (why === undefined) throw error;
      return {clonable: false, why};
    }
  }

  async state({pool: poolName, name}: DiskSpec, signal: AbortSignal): Promise<DiskState> {
    return this.#connection.use(poolName, signal, async (pool, cluster) => {
      const {entry, named} = await namesOf(pool, name); // much less work than an open that fails
      if (entry === undefined && named === undefined) return {kind: 'absent'};
      try {
        return await withImage(pool, name, {readOnly: true}, async image => {
          const [{size, id}, parent, hasData, snapshots] = await Promise.all([
            image.info(),
            image.parent(),
            image.hasOwnData(),
            image.listSnapshots(),
          ]);
          const registered = parent === undefined || (await this.#registered({pool, id}, parent, signal));
          return {
            kind: 'image',
            size,
            parent: parent && specOf(parent),
            registered,
            empty: !hasData && snapshots.length === 0,
          };
        });
      } catch (error) {
        if (!isRbdError(error, 'ENOENT')) throw error;
        return nameLeft(pool, name, cluster.fsid);
      }
    });
  }

  async clone(parent: SnapshotSpec, disk: DiskSpec, signal: AbortSignal): Promise<'cloned' | 'exists'> {
    const cloneFormat = await this.#cloneFormat(signal);
    const source = await this.#connection.use(parent.pool, signal, async pool => pool);
    const until = performance.now() + unprotectPatience;
    return this.#connection.use(disk.pool, signal, async pool => {
      for (;;) {
        try {
          await source.clone(parent.image, parent.snapshot, pool, disk.name, {cloneFormat});
          return 'cloned';
        } catch (error) {
          if (isRbdError(error, 'EEXIST')) return 'exists';
          if (!isRbdError(error, 'EINVAL') || cloneFormat !== 1 || performance.now() >= until) throw error;
          const {entry, named} = await namesOf(pool, disk.name);
          if (entry !== undefined || named !== undefined) throw error; // our own half clone is no disk of somebody else's
          await sleep(unprotectPoll, undefined, {signal});
        }
      }
    });
  }

  async grow({pool: poolName, name}: DiskSpec, size: number, signal: AbortSignal): Promise<void> {
    await this.#connection.use(poolName, signal, pool =>
      withImage(pool, name, {}, async image => {
        if ((await image.info()).size < size) await image.resize(size);
      }),
    );
  }

  async complete(
    parent: SnapshotSpec,
    disk: DiskSpec,
    size: number | undefined,
    signal: AbortSignal,
  ): Promise<Completed | undefined> {
    const parentPool = await this.#connection.use(parent.pool, signal, async pool => pool);
    const completed = await this.#connection.use(disk.pool, signal, pool =>
      completeFresh(pool, disk.name, parentPool, size),
    );
    if (completed !== undefined) return completed;
    if (size !== undefined) await this.grow(disk, size, signal);
    const state = await this.state(disk, signal);
    if (state.kind !== 'image') return undefined;
    return {size: state.size, parent: state.parent, registered: state.registered};
  }

  async remove({pool: poolName, name}: DiskSpec, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    for (let wait = 250; ; wait = Math.min(wait * 2, 4000)) {
      try {
        return await this.#connection.use(poolName, signal, pool => removeImage(pool, name));
      } catch (error) {
        if (!isRbdError(causeOf(error), 'EBUSY') || performance.now() - started > this.#busyTimeout)
          throw inUse(error, `${poolName}/${name}`);
      }
      await sleep(wait, undefined, {signal});
    }
  }

  async #registered(child: {pool: NativePool; id: string}, parent: ParentSpec, signal: AbortSignal): Promise<boolean> {
    return this.#connection.use(parent.pool, signal, parentPool => isRegistered(child, parent, parentPool));
  }
}

/** librbd does not tell an attempt to unprotect from what was never protected. */
const openSnapshot = (pool: NativePool, {image: name, snapshot}: SnapshotSpec) =>
  withImage(pool, name, {snapshot}, async image => {
    const [{size}, isProtected] = await Promise.all([image.info(), image.isSnapshotProtected(snapshot)]);
    const protection: Protection = isProtected ? 'protected' : 'unprotected';
    return {size, protection};
  });

/** Opens, works, closes whatever happened. */
export async function withImage<V>(
  pool: NativePool,
  name: string,
  options: {snapshot?: string; readOnly?: boolean},
  work: (image: NativeImage) => Promise<V>,
): Promise<V> {
  const image = await pool.openImage(name, options);
  try {
    return await work(image);
  } finally {
    await image.close();
  }
}

/**
 * rbd_remove; absent is fine. librbd also says ENOENT when it could not make the pool's `rbd_trash` object (the cluster is
 * full, and nothing was ever removed from this pool): then the image is all there, and that is no success.
 */
export async function removeImage(pool: NativePool, name: string): Promise<void> {
  try {
    await pool.removeImage(name);
  } catch (error) {
    if (!isRbdError(error, 'ENOENT')) throw error;
    const {entry, named} = await namesOf(pool, name);
    if (entry === undefined && named === undefined) return;
    throw new CellarError('unavailable', `${pool.name}/${name} could not be removed: it is still there`, {
      hint: 'check `ceph df`: a full cluster does this. Try again when it has room',
      object: `${pool.name}/${name}`,
      cause: error,
    });
  }
}

/** The two objects that make an image's name. */
async function namesOf(pool: NativePool, name: string) {
  const key = `name_${name}`;
  const [listed, named] = await Promise.all([pool.omapGet('rbd_directory', [key]), pool.statObject(`rbd_id.${name}`)]);
  return {entry: listed.get(key), named};
}

/**
 * It does not open: nothing is there, or only its name. A name without a header is what a dead clone or removal left. With a header it is somebody's disk whose parent is gone: its own data may well be all there.
 */
async function nameLeft(pool: NativePool, name: string, fsid: string): Promise<DiskState> {
  const [{entry, named}, id] = await Promise.all([namesOf(pool, name), readImageId(pool, name)]);
  if (entry === undefined && named === undefined) return {kind: 'absent'};
  for (const imageId of [entry && new Reader(entry).text(), id]) {
    if (imageId !== undefined && (await pool.statObject(`rbd_header.${imageId}`)) !== undefined)
      throw doesNotOpen(`${pool.name}/${name}`);
  }
  const left = [entry && 'the directory', named && 'an rbd_id object'].filter(Boolean).join(' and ');
  return {kind: 'torn', why: `${left} of pool ${pool.name} in ${fsid} named an image without a header`};
}

const doesNotOpen = (object: string) =>
  new CellarError('conflict', `disk ${object} is there but does not open: its parent is gone, or it is being removed`, {
    hint: 'it was left alone, with the data it holds; `rbd info` says more',
    object,
  });

const specOf = ({pool, image, snapshot}: ParentSpec): SnapshotSpec => ({pool, image, snapshot});

/** The reasons why a parent cannot be cloned, as values; other failures are failures. */
function whyNot(error: unknown, parent: SnapshotSpec): string | undefined {
  const cause = causeOf(error);
  if (isRbdError(cause, 'ENOENT')) {
    if (cause.syscall === 'rados_ioctx_create') return `there is no pool ${parent.pool}`;
    return `there is no ${formatSnapshot(parent)}`;
  }
  if (isRbdError(cause, 'ENAMETOOLONG')) return 'no image has so long a name';
  if (isRbdError(cause, 'EPERM', 'EACCES')) return `this agent's key may not read pool ${parent.pool}`;
  return undefined;
}

function inUse(error: unknown, object: string): unknown {
  const cause = causeOf(error);
  if (isRbdError(cause, 'EBUSY')) {
    return new CellarError('conflict', `disk ${object} is in use: somebody has it open`, {
      hint: '`rbd status` shows who',
      object,
      cause,
    });
  }
  if (isRbdError(cause, 'ENOTEMPTY')) {
    return new CellarError('conflict', `disk ${object} has snapshots`, {
      hint: '`rbd snap ls` shows them; remove them first',
      object,
      cause,
    });
  }
  return error;
}
