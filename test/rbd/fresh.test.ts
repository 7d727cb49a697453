/** A clone is completed without opening it: what that leaves in the cluster is what librbd leaves. */
import {randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import type {DiskSpec, SnapshotSpec} from '../../src/core/ports.ts';

import {completeFresh} from '../../src/rbd/fresh.ts';
import type {NativePool} from '../../src/rbd/native.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, MiB, never, someBytes, someIntent} from '../suites/subject.ts';
import {idOf, unregistered, withoutParent, writeByHand} from './by-hand.ts';
import {type RealCell, realCell} from './real-cell.ts';

const subject = realCell(test);

/** Feature bits of the parent: a clone has those of its parent. */
const featureSets = {
  'the usual features': 1 | 4 | 8 | 16 | 32,
  'layering alone': 1,
  'no object map': 1 | 4,
  'journaling, which is for librbd to grow': 1 | 4 | 64,
};

async function setUp(features: number, cloneFormat: 1 | 2 = 1) {
  const real = await subject();
  const agent = real.agent({cloneFormat: `${cloneFormat}`});
  const data = someBytes();
  const parent: SnapshotSpec = {pool: real.pools.images, image: freshName('image'), snapshot: 'snap'};
  const pool = await real.admin(parent.pool);
  await pool.createImage(parent.image, {size: data.length, features});
  const image = await pool.openImage(parent.image);
  await image.write(0, data);
  await image.createSnapshot('snap');
  await image.protectSnapshot('snap');
  await pool.close();
  const clone = async () => {
    const disk: DiskSpec = {pool: real.pools.disks, name: freshName('disk')};
    await agent.disks.clone(parent, disk, never);
    return disk;
  };
  return {real, agent, disks: agent.disks, data, parent, clone};
}

/** All that librbd keeps of an image, but for what no two have alike: its header's keys, and its object map. */
async function metadataOf({admin, ...real}: RealCell, disk: DiskSpec) {
  const id = await idOf({admin, ...real}, disk);
  const pool = await admin(disk.pool);
  const {entries} = await pool.omapList(`rbd_header.${id}`);
  const map = await pool.exec(`rbd_object_map.${id}`, 'rbd', 'object_map_load', Buffer.alloc(0)).catch(() => undefined);
  await pool.close();
  const own = /^object_prefix$|_timestamp$|journal/;
  const header = [...entries].filter(([key]) => !own.test(key)).map(([key, value]) => [key, value.toString('hex')]);
  return {header, map: map?.toString('hex')};
}

/** librbd has nothing against it, and `rbd` finds its object map right. */
async function isSound(t: ExecutionContext, {ceph}: RealCell, {pool, name}: DiskSpec) {
  const info = JSON.parse(await ceph.rbd('info', `${pool}/${name}`, '--format=json'));
  t.deepEqual(info.flags, []);
  if (info.features.includes('object-map')) {
    const said = await ceph.rbd('object-map', 'check', '--no-progress', `${pool}/${name}`);
    t.notRegex(said, /incorrect|invalid/i);
  }
}

for (const [what, features] of Object.entries(featureSets)) {
  for (const format of [1, 2] as const) {
    test(`clone format ${format}, ${what}: header and object map are as after rbd_resize2, and the new end takes data`, async t => {
      const {real, disks, data, parent, clone} = await setUp(features, format);
      const [quick, slow] = [await clone(), await clone()];
      const [pool, parentPool] = [await real.admin(quick.pool), await real.admin(parent.pool)];
      const alone = await completeFresh(pool, quick.name, parentPool, data.length + MiB);
      t.is(alone === undefined, what.startsWith('journaling'), 'librbd is not needed, or is');
      for (const size of [data.length + 4 * MiB, data.length + 33 * MiB + 5]) {
        t.deepEqual(await disks.complete(parent, quick, size, never), {size, parent, registered: true});
        await disks.grow(slow, size, never);
        t.deepEqual(await metadataOf(real, quick), await metadataOf(real, slow));
        await isSound(t, real, quick);
      }
      const end = randomBytes(100_000);
      await writeByHand(real, quick, data.length + 33 * MiB + 5 - end.length, end);
      const zeros = Buffer.alloc(33 * MiB + 5 - end.length);
      t.true((await real.read(quick)).equals(Buffer.concat([data, zeros, end])));
      await isSound(t, real, quick);
    });
  }
}

for (const [what, spoil] of [
  ['has no parent', (real: RealCell, _: SnapshotSpec, disk: DiskSpec) => withoutParent(real, disk, MiB)],
  [
    'is not listed, format 1',
    (real: RealCell, parent: SnapshotSpec, disk: DiskSpec) => unregistered(real, parent, disk, 1),
  ],
  [
    'is not listed, format 2',
    (real: RealCell, parent: SnapshotSpec, disk: DiskSpec) => unregistered(real, parent, disk, 2),
  ],
] as const) {
  test(`a clone that ${what} is read back as just that`, async t => {
    const {real, disks, data, parent} = await setUp(featureSets['the usual features']);
    const disk = {pool: real.pools.disks, name: freshName('disk')};
    await spoil(real, parent, disk);
    const state = await disks.complete(parent, disk, data.length + MiB, never);
    t.is(state?.size, data.length + MiB);
    t.false(state?.parent !== undefined && state.registered);
  });
}

/** The pool, with `exec` in place of its own. */
const withExec = (pool: NativePool, exec: NativePool['exec']): NativePool =>
  new Proxy(pool, {
    get: (target, key) => {
      if (key === 'exec') return exec;
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

test('a maker that slept while somebody else grew the disk and wrote to it leaves it as it is', async t => {
  const {real, disks, data, parent, clone} = await setUp(featureSets['the usual features']);
  const disk = await clone();
  const [pool, parentPool] = [await real.admin(disk.pool), await real.admin(parent.pool)];
  const end = randomBytes(MiB);
  const size = data.length + 64 * MiB;
  const sleepy = withExec(pool, async (object, objectClass, method, input) => {
    const answer = await pool.exec(object, objectClass, method, input);
    if (method === 'object_map_resize') {
      await disks.grow(disk, size, never);
      await writeByHand(real, disk, size - end.length, end);
    }
    return answer;
  });
  t.is(await completeFresh(sleepy, disk.name, parentPool, data.length + MiB), undefined);
  t.deepEqual(await disks.complete(parent, disk, data.length + MiB, never), {size, parent, registered: true});
  t.true((await real.read(disk)).equals(Buffer.concat([data, Buffer.alloc(64 * MiB - end.length), end])));
  await isSound(t, real, disk);
  await Promise.all([pool.close(), parentPool.close()]);
});

test('when its parent cannot be read that is said when nothing is written to the clone any more', async t => {
  const {real, data, parent, clone} = await setUp(featureSets['the usual features']);
  const disk = await clone();
  const [pool, parentPool] = [await real.admin(disk.pool), await real.admin(parent.pool)];
  const refused = Promise.withResolvers<void>();
  const forbidding = withExec(parentPool, async () => {
    refused.resolve();
    throw new Error('it cannot be read');
  });
  let written = false;
  const slow = withExec(pool, async (object, objectClass, method, input) => {
    if (method === 'get_features') await refused.promise;
    const answer = await pool.exec(object, objectClass, method, input);
    if (method === 'object_map_resize') written = true;
    return answer;
  });
  await t.throwsAsync(completeFresh(slow, disk.name, forbidding, data.length + MiB), {message: 'it cannot be read'});
  t.true(written, 'nothing of it is still to come');
  await Promise.all([pool.close(), parentPool.close()]);
});

test('a maker that died between object map and header: the next request grows the disk, and all is as it should be', async t => {
  const {real, agent, data, parent, clone} = await setUp(featureSets['the usual features']);
  const disk = await clone();
  const pool = await real.admin(disk.pool);
  const objects = Buffer.alloc(9);
  objects.writeBigUInt64LE(20n);
  await pool.exec(`rbd_object_map.${await idOf(real, disk)}`, 'rbd', 'object_map_resize', objects);
  await pool.close();
  const images = new FakeImages();
  const url = `rbd://${await agent.fsid(never)}/${parent.pool}/${parent.image}/snap`;
  const {id: image} = images.add(data, {locations: [{url, metadata: {}}]});
  await agent.intents.put(disk, someIntent({image, parent, run: 'dead'}), undefined, never);
  const size = 80 * MiB;
  t.is((await resolve(makeWorld(agent, images), {image, ...disk, size})).outcome, 'exists');
  await isSound(t, real, disk);
  const other = await clone();
  await agent.disks.grow(other, size, never);
  t.deepEqual(await metadataOf(real, disk), await metadataOf(real, other));
  t.true((await real.read(disk)).equals(Buffer.concat([data, Buffer.alloc(size - data.length)])));
});

test('of an image with few snapshots and of one with many, each snapshot is found with its own size and protection', async t => {
  const real = await subject();
  const pool = await real.admin(real.pools.images);
  const name = freshName('image');
  await pool.createImage(name, {size: MiB});
  const image = await pool.openImage(name);
  for (let n = 1; n <= 12; n++) {
    await image.resize(n * MiB);
    await image.createSnapshot(`snap${n}`);
    if (n % 2 === 0) await image.protectSnapshot(`snap${n}`);
    if (n !== 3 && n !== 12) continue;
    for (let seen = 1; seen <= n; seen++) {
      const parent = {pool: real.pools.images, image: name, snapshot: `snap${seen}`};
      const state = await real.agent({cloneFormat: '1'}).disks.parentState(parent, never);
      if (seen % 2 === 0) t.deepEqual(state, {clonable: true, size: seen * MiB});
      else t.like(state, {clonable: false});
      const unprotected = await real.agent({cloneFormat: '2'}).disks.parentState(parent, never);
      t.deepEqual(unprotected, {clonable: true, size: seen * MiB});
    }
  }
  await pool.close();
});
