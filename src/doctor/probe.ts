/** A tiny image to try rights with. Its name says whose it is, and since when: what a doctor that was killed left is removed by the next. */
import {randomBytes} from 'node:crypto';
import {withImage} from '../rbd/disks.ts';
import {isRbdError} from '../rbd/errors.ts';
import type {NativeCluster, NativePool} from '../rbd/native.ts';

const size = 4 * 1024 * 1024;
const snapshot = 'probe';

/** ms after which a probe is a dead doctor's: no run takes so long. */
const deadAfter = 600_000;

const pattern = /^cellar-doctor-([0-9a-f]+)-[0-9a-f]{8}$/;

export const probeName = (now = Date.now()): string =>
  `cellar-doctor-${now.toString(16)}-${randomBytes(4).toString('hex')}`;

/** A probe that can be cloned, in this pool, for as long as `work` takes. */
export async function withProbe<V>(pool: NativePool, work: (name: string, snapshot: string) => Promise<V>): Promise<V> {
  const name = probeName();
  try {
    await pool.createImage(name, {size});
    await withImage(pool, name, {}, async image => {
      await image.write(0, Buffer.alloc(4096, 1));
      await image.flush();
      await image.createSnapshot(snapshot);
      await image.protectSnapshot(snapshot);
    });
    return await work(name, snapshot);
  } finally {
    await removeProbe(pool, name);
  }
}

/** Clones the probe, writes to the clone, removes it. Fails with the first step that the key may not do. */
export async function tryClone(
  from: NativePool,
  to: NativePool,
  name: string,
  cloneFormat: 1 | 2 | undefined,
): Promise<void> {
  const clone = probeName();
  try {
    await from.clone(name, snapshot, to, clone, {...(cloneFormat !== undefined && {cloneFormat})});
    await withImage(to, clone, {}, async image => {
      await image.write(0, Buffer.alloc(4096, 2));
      await image.flush();
    });
    await to.removeImage(clone);
  } catch (error) {
    await removeProbe(to, clone).catch(() => {}); // the first failure says more
    throw error;
  }
}

/** Removes what doctors that were killed have left in these pools, clones before what they are clones of. */
export async function removeDead(cluster: NativeCluster, pools: readonly string[], now = Date.now()): Promise<void> {
  for (const poolName of pools) {
    const pool = await cluster.openPool(poolName);
    try {
      for (const {name} of await pool.listImages()) {
        const since = Number.parseInt(pattern.exec(name)?.[1] ?? '', 16);
        if (now - since > deadAfter) await removeProbe(pool, name);
      }
      for (const object of await pool.listObjects('cellar-doctor-')) {
        const since = Number.parseInt(pattern.exec(object)?.[1] ?? '', 16);
        if (now - since > deadAfter) await pool.removeObject(object);
      }
    } finally {
      await pool.close();
    }
  }
}

async function removeProbe(pool: NativePool, name: string): Promise<void> {
  if (!pattern.test(name)) throw new Error(`${name} is no probe`); // nothing else is ever removed here
  try {
    await withImage(pool, name, {}, async image => {
      for (const one of await image.listSnapshots()) {
        if (await image.isSnapshotProtected(one.name)) await image.unprotectSnapshot(one.name);
        await image.removeSnapshot(one.name);
      }
    });
    await pool.removeImage(name);
  } catch (error) {
    if (!isRbdError(error, 'ENOENT')) throw error;
  }
}
