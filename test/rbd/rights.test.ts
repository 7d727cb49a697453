/** What the agent can find out with exactly the rights that the manual gives it: no more than its three pools. */
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, never, someBytes} from '../suites/subject.ts';
import {cloneByHand} from './by-hand.ts';
import {realCell} from './real-cell.ts';

const subject = realCell(test);
const notOurs = freshName('volumes');

test.serial.before(async () => {
  const {ceph} = await subject();
  await ceph.ceph('osd', 'pool', 'create', notOurs, '4');
  await ceph.rbd('pool', 'init', notOurs);
});
test.after.always(async () => (await subject()).ceph.removePool(notOurs));

async function parentOf(real: Awaited<ReturnType<typeof subject>>, pool = real.pools.images) {
  const data = someBytes();
  const parent = {pool, image: freshName('image'), snapshot: 'snap'};
  await real.put(parent, data);
  return {data, parent};
}

for (const format of [1, 2] as const) {
  test(`clone format ${format}: that a parent has clones in a pool we may not read changes nothing for ours`, async t => {
    const real = await subject();
    const {disks} = real.agent({cloneFormat: `${format}`});
    const {data, parent} = await parentOf(real);
    await cloneByHand(real, parent, {pool: notOurs, name: freshName('volume')}, format);
    const disk = {pool: real.pools.disks, name: freshName('disk')};
    t.is(await disks.clone(parent, disk, never), 'cloned');
    const state = await disks.state(disk, never);
    t.deepEqual(state, {kind: 'image', size: data.length, parent, registered: true, empty: true});
    await disks.remove(disk, never);
    t.deepEqual(await disks.state(disk, never), {kind: 'absent'});
  });

  test(`clone format ${format}: a copy whose only clone is in a pool we may not read stays whole`, async t => {
    const real = await subject();
    const {copies, disks} = real.agent({cloneFormat: `${format}`});
    const image = freshName('copy');
    const writer = await copies.create(image, 4096, never);
    const parent = await writer.seal(never);
    const volume = {pool: notOurs, name: freshName('volume')};
    await cloneByHand(real, parent, volume, format);
    t.is((await t.throwsAsync(copies.remove(image, never), {instanceOf: CellarError}))?.kind, 'conflict');
    t.deepEqual(await disks.parentState(parent, never), {clonable: true, size: 4096});
    await real.ceph.rbd('rm', `${volume.pool}/${volume.name}`);
    await copies.remove(image, never);
    t.false((await copies.list(never)).includes(image));
  });

  test(`clone format ${format}: an unprotected snapshot is ${format === 1 ? 'a no with its reason' : 'cloned all the same'}`, async t => {
    const real = await subject();
    const {disks} = real.agent({cloneFormat: `${format}`});
    const {data, parent} = await parentOf(real);
    await real.ceph.rbd('snap', 'unprotect', `${parent.pool}/${parent.image}@snap`);
    const state = await disks.parentState(parent, never);
    if (format === 2) {
      t.deepEqual(state, {clonable: true, size: data.length});
      t.is(await disks.clone(parent, {pool: real.pools.disks, name: freshName('disk')}, never), 'cloned');
    } else {
      const why = 'the snapshot is not protected, and clones of format 1 need that';
      t.deepEqual(state, {clonable: false, why});
    }
  });
}

test('clone format auto is what librbd itself would take on this cluster', async t => {
  const real = await subject();
  const {parent} = await parentOf(real);
  const [ours, theirs] = ['ours', 'theirs'].map(name => ({pool: real.pools.disks, name: freshName(name)}));
  if (!ours || !theirs) return t.fail();
  await real.cell.disks.clone(parent, ours, never);
  await real.ceph.rbd('clone', `${parent.pool}/${parent.image}@snap`, `${theirs.pool}/${theirs.name}`);
  const features = async ({pool, name}: typeof ours) =>
    JSON.parse(await real.ceph.rbd('info', '--format', 'json', `${pool}/${name}`)).op_features;
  t.deepEqual(await features(ours), await features(theirs));
});

test('a pool that our key may not read is a no with its reason, and a name that no object can have too', async t => {
  const real = await subject();
  const {parent} = await parentOf(real, notOurs);
  const why = `this agent's key may not read pool ${notOurs}`;
  t.deepEqual(await real.cell.disks.parentState(parent, never), {clonable: false, why});
  for (const changes of [{image: 'x'.repeat(3000)}, {snapshot: 'x'.repeat(3000)}, {pool: 'x'.repeat(3000)}]) {
    const images = {...parent, pool: real.pools.images, ...changes};
    t.false((await real.cell.disks.parentState(images, never)).clonable, Object.keys(changes)[0]);
  }
});

test('a disk whose parent is in a pool our key may not read is left alone', async t => {
  const real = await subject();
  const {data, parent} = await parentOf(real, notOurs);
  const disk = {pool: real.pools.disks, name: freshName('disk')};
  await cloneByHand(real, parent, disk, 1);
  t.is((await t.throwsAsync(real.cell.disks.state(disk, never), {instanceOf: CellarError}))?.kind, 'forbidden');
  t.true((await real.read(disk)).equals(data));
});

test('with these rights an image is filled, cloned, found again, and both are removed', async t => {
  const real = await subject();
  const images = new FakeImages();
  const data = someBytes();
  const {id} = images.add(data);
  const world = makeWorld(real.cell, images);
  const disk = {pool: real.pools.disks, name: freshName('disk')};
  const {outcome, parent} = await resolve(world, {image: id, ...disk});
  t.is(outcome, 'filled');
  t.is((await resolve(world, {image: id, ...disk})).outcome, 'exists');
  t.true((await real.read(disk)).equals(data));
  await real.cell.disks.remove(disk, never);
  await real.cell.copies.remove(parent.image, never);
  t.false((await real.cell.copies.list(never)).includes(parent.image));
  t.is(await real.cell.leases.holder(`cellar.fill.${id}`, never), undefined);
  t.false((await real.rados(real.pools.cache, 'ls')).includes(`cellar.fill.${id}`));
});
