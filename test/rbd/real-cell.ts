/** The cell on real Ceph: the lab's shared cluster, pools of the file's own, and an agent with exactly the rights that the manual gives it. */
import {randomBytes} from 'node:crypto';
import type {TestFn} from 'ava';
import type {DiskSpec, SnapshotSpec} from '../../src/core/ports.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {type RbdCell, type RbdCellOptions, rbdCell} from '../../src/rbd/cell.ts';
import type {ConnectOptions, NativeCluster, NativePool} from '../../src/rbd/native.ts';
import {run} from '../lab/run.ts';
import {type Cluster, cellCluster} from '../lab/shared.ts';
import type {Subject} from '../suites/subject.ts';
import {beingRemoved} from './by-hand.ts';

/** What docs/operations.md tells the operator to give the agent. */
export const agentCaps = ({cache, disks, images}: {cache: string; disks: string; images: string}) => ({
  mon: 'profile rbd',
  osd: `profile rbd pool=${cache}, profile rbd pool=${disks}, profile rbd-read-only pool=${images}`,
});

export type RealCell = Subject & {
  ceph: Cluster;
  cell: RbdCell;
  other: RbdCell;
  pools: {cache: string; disks: string; images: string};
  user: string;
  /** One more agent of this cell; closed with the rest. */
  agent(options?: Partial<RbdCellOptions>): RbdCell;
  /** A pool as client.admin. */
  admin(pool: string): Promise<NativePool>;
  rados(pool: string, ...args: string[]): Promise<string>;
};

export const connectAs = (ceph: Pick<Cluster, 'conf'>, user: string): ConnectOptions => ({
  user,
  conf: ceph.conf,
  clientMountTimeoutMs: 10_000,
  osdOpTimeoutMs: 20_000,
  monOpTimeoutMs: 10_000,
});

/** For all tests of a file; `subject()` is made once, when first asked for. */
export function realCell(test: TestFn, options: Partial<RbdCellOptions> = {}): () => Promise<RealCell> {
  let made: Promise<RealCell> | undefined;
  const undo: (() => Promise<unknown>)[] = [];
  test.after.always('everything on the cluster is removed', async () => {
    await made?.catch(() => {});
    for (const step of undo.reverse()) await step();
  });
  return () => (made ??= make(cellCluster(), options, undo));
}

/** The same on any cluster. Each step of `undo` is for the end, last one first. */
export async function make(
  ceph: Cluster,
  options: Partial<RbdCellOptions>,
  undo: (() => Promise<unknown>)[],
  deadlines: Partial<ConnectOptions> = {},
): Promise<RealCell> {
  const createPool = async (prefix: string) => {
    const pool = await ceph.createPool(prefix);
    undo.push(() => ceph.removePool(pool));
    return pool;
  };
  const pools = {
    cache: await createPool('cache'),
    disks: await createPool('vms'),
    images: await createPool('images'),
  };
  const user = `agent-${randomBytes(4).toString('hex')}`;
  await ceph.addUser(user, agentCaps(pools));
  undo.push(() => ceph.ceph('auth', 'rm', `client.${user}`));
  const cluster = await loadBinding().connect(connectAs(ceph, 'admin'));
  undo.push(() => cluster.close());
  const agent = (changes: Partial<RbdCellOptions> = {}) => {
    const cell = rbdCell({
      binding: loadBinding(),
      connect: {...connectAs(ceph, user), ...deadlines},
      pool: pools.cache,
      cloneFormat: 'auto',
      leaseDuration: 6000,
      busyTimeout: 2000,
      holder: 'test',
      ...options,
      ...changes,
    });
    undo.push(() => cell.close());
    return cell;
  };
  const rados = (pool: string, ...args: string[]) => run('rados', ['-c', ceph.conf, '-p', pool, ...args]);
  const admin = (pool: string) => cluster.openPool(pool);
  const real = {ceph, cell: agent(), other: agent(), pools, user, agent, admin, rados, ...around(cluster, rados)};
  return {...real, halfRemove: disk => beingRemoved({admin, rados}, disk)};
}

/** Preparing and looking as client.admin. */
function around(
  cluster: NativeCluster,
  rados: RealCell['rados'],
): Pick<Subject, 'put' | 'flat' | 'snapshot' | 'tear' | 'read'> {
  const write = async ({pool, name}: DiskSpec, data: Buffer, snapshot?: string) => {
    const opened = await cluster.openPool(pool);
    await opened.createImage(name, {size: data.length, order: 22});
    const image = await opened.openImage(name);
    await image.write(0, data);
    if (snapshot !== undefined) {
      await image.createSnapshot(snapshot);
      await image.protectSnapshot(snapshot);
    }
    await opened.close();
  };
  return {
    put: ({pool, image, snapshot}: SnapshotSpec, data) => write({pool, name: image}, data, snapshot),
    flat: (disk, data) => write(disk, data),
    snapshot: async ({pool, name}, snapshot) => {
      const opened = await cluster.openPool(pool);
      await (await opened.openImage(name)).createSnapshot(snapshot);
      await opened.close();
    },
    /** State (a) of a dead clone: the name is in the directory, and nowhere else. */
    tear: async ({pool, name}) => {
      const opened = await cluster.openPool(pool);
      await opened.createImage(name, {size: 1});
      const image = await opened.openImage(name, {readOnly: true});
      const {id} = await image.info();
      await opened.close();
      for (const object of [`rbd_header.${id}`, `rbd_object_map.${id}`, `rbd_id.${name}`])
        await rados(pool, 'rm', object);
    },
    read: async ({pool, name}) => {
      const opened = await cluster.openPool(pool);
      try {
        const image = await opened.openImage(name, {readOnly: true});
        const buffer = Buffer.alloc((await image.info()).size);
        await image.read(0, buffer);
        return buffer;
      } finally {
        await opened.close();
      }
    },
  };
}
