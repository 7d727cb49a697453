/** Pools that are removed while the agent runs, and made anew under their names. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {recover} from '../../src/core/recover.ts';
import {removeRetired, retire} from '../../src/core/retire.ts';
import {makeWorld, resolve, types} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, never, someBytes, someIntent} from '../suites/subject.ts';
import {type RealCell, realCell} from './real-cell.ts';

const subject = realCell(test, {cloneFormat: '2'});

/** The pool of this name, empty: what an operator does who thinks that nobody uses it. */
async function anew({ceph, admin}: RealCell, pool: string) {
  const old = await admin(pool);
  await ceph.removePool(pool);
  await ceph.ceph('osd', 'pool', 'create', pool, '4');
  await ceph.rbd('pool', 'init', pool);
  while ((await admin(pool)).id === old.id) await old.listImages(); // a client hears of it when it asks for something in there
}

/** Says what failed, until it does not any more. An answer that is wrong is no failure. */
async function settled<V>(
  t: {true(actual: boolean): void},
  ask: () => Promise<V>,
): Promise<{value: V; kinds: string[]}> {
  const kinds: string[] = [];
  for (;;) {
    try {
      return {value: await ask(), kinds};
    } catch (error) {
      if (!(error instanceof CellarError)) throw error;
      kinds.push(error.kind);
      t.true(kinds.length < 20);
      await sleep(50);
    }
  }
}

function setUp(real: RealCell) {
  const images = new FakeImages();
  const data = someBytes();
  const {id} = images.add(data);
  const disk = {pool: real.pools.disks, name: freshName('disk')};
  const world = makeWorld(real.cell, images, {intentStale: 0});
  return {images, data, id, disk, world, ask: () => resolve(world, {image: id, ...disk})};
}

test.serial(
  'the pool of the disks is made anew: what stands in it is seen, and nothing is said of what does not',
  async t => {
    const real = await subject();
    const {data, disk, world, ask} = setUp(real);
    await ask();
    await real.cell.intents.put({...disk, name: 'torn'}, someIntent(), undefined, never);
    t.is((await real.cell.disks.state({...disk, name: 'torn'}, never)).kind, 'absent');
    await anew(real, disk.pool);
    await real.flat(disk, Buffer.from('precious'));
    await real.tear({...disk, name: 'torn'});

    const {value, kinds} = await settled(t, () => real.cell.disks.state(disk, never));
    t.is(value.kind, 'image');
    t.deepEqual([...new Set(kinds)], ['unavailable']);
    await recover(world, never);
    t.is((await real.cell.disks.state({...disk, name: 'torn'}, never)).kind, 'absent');
    t.true(types(world).includes('disk-repaired'), 'its intent was still there');
    t.is((await t.throwsAsync(ask(), {instanceOf: CellarError}))?.kind, 'conflict');
    await real.ceph.rbd('rm', `${disk.pool}/${disk.name}`);
    t.is((await ask()).outcome, 'cloned-from-cache');
    t.true((await real.read(disk)).equals(data));
  },
);

test.serial('the cache pool is made anew: the running agent fills it again', async t => {
  const real = await subject();
  const {images, data, id, disk, ask} = setUp(real);
  await ask();
  await real.cell.disks.remove(disk, never);
  await anew(real, real.pools.cache);
  const {value, kinds} = await settled(t, ask);
  t.is(value.outcome, 'filled');
  t.false(kinds.includes('not-found'), kinds.join());
  t.deepEqual(
    images.downloads.filter(download => download !== id),
    [],
  );
  t.true((await real.read(disk)).equals(data));
  t.is((await real.cell.index.list(never)).length, 1);
});

test.serial('a pool is removed: its intents go, and a copy that is kept for its disks is told', async t => {
  const real = await subject();
  const {world, ask, disk} = setUp(real);
  const gone = await real.ceph.createPool('gone');
  const {parent} = await ask();
  await real.cell.disks.remove(disk, never);
  const child = {pool: gone, name: 'disk'};
  const admin = await real.admin(parent.pool);
  const to = await real.admin(gone);
  await admin.clone(parent.image, parent.snapshot, to, child.name, {cloneFormat: 2});
  const entry = (await real.cell.index.list(never)).find(({rbdImage}) => rbdImage === parent.image);
  if (entry === undefined) return t.fail();
  await retire(entry, 'a test', world, never, {reason: 'by-hand'});
  t.is(await removeRetired(world, never), 0);
  t.false(types(world).includes('copy-kept'), 'that it has clones is no failure');
  await real.cell.intents.put(child, someIntent(), undefined, never);

  for (const pool of [admin, to]) await pool.close();
  await real.ceph.removePool(gone);
  for (let round = 0; (await real.cell.intents.get(child, never)) !== undefined; round++) {
    t.true(round < 10);
    await recover(world, never);
  }
  t.is(await removeRetired(world, never), 0);
  const kept = world.events.find(event => event.type === 'copy-kept');
  t.regex(kept?.type === 'copy-kept' ? kept.error.message : '', /lists 1 clones, all in pools that were removed/);
  t.is((await real.cell.disks.parentState(parent, never)).clonable, true, 'it stays as it is');
});
