/** A cluster of the test's own that is full, or does not answer: every call ends soon and says why, and afterwards all is well. */
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {CellarError, type ErrorKind} from '../../src/core/errors.ts';
import {recover} from '../../src/core/recover.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import type {RunningCeph} from '../lab/ceph.ts';
import {privateCeph} from '../lab/shared.ts';
import {freshName, never, someBytes} from '../suites/subject.ts';
import {connectAs, make, type RealCell} from './real-cell.ts';

let ceph: RunningCeph;
let real: RealCell;
const undo: (() => Promise<unknown>)[] = [];
const osdOpTimeoutMs = 3000;

test.before(async () => {
  ceph = await privateCeph({objectstore: 'memstore'});
  undo.push(ceph.stop);
  real = await make(ceph, {}, undo, {clientMountTimeoutMs: 3000, osdOpTimeoutMs, monOpTimeoutMs: 3000});
});
test.after.always(async () => {
  for (const step of undo.reverse()) await step();
});

/** What an OSD that ran out of room does: it says so to the monitor, which stops writes by the map. */
async function full(isFull: boolean) {
  await ceph.ceph('tell', 'osd.0', 'injectfull', isFull ? 'full' : 'none', '-1');
  const stands = async () =>
    JSON.parse(await ceph.ceph('osd', 'dump', '--format', 'json')).osds[0].state.includes('full');
  while ((await stands()) !== isFull) await sleep(200);
}

/** After it hung for long, the OSD was taken for dead, and has to come back. */
async function serves() {
  while ((await real.cell.copies.list(never).catch(() => undefined)) === undefined) await sleep(200);
}

/** A fresh image, and a request for a disk of it. */
function setUp() {
  const images = new FakeImages();
  const data = someBytes();
  const {id} = images.add(data);
  const world = makeWorld(real.cell, images);
  const ask = () => resolve(world, {image: id, pool: real.pools.disks, name: `disk-${id}`});
  return {images, data, id, world, ask, disk: {pool: real.pools.disks, name: `disk-${id}`}};
}

async function failsSoon(t: ExecutionContext, work: Promise<unknown>, kind: ErrorKind, limit: number) {
  const started = performance.now();
  const error = await t.throwsAsync(work, {instanceOf: CellarError});
  const took = performance.now() - started;
  t.is(error?.kind, kind, error?.message);
  t.true(took < limit, `${took} ms`);
}

async function nothingIsLeftOf(t: ExecutionContext, id: string) {
  const left = (await real.rados(real.pools.cache, 'ls')).split('\n').filter(name => name.includes(id));
  t.deepEqual(left, []);
  t.false((await real.rados(real.pools.cache, 'listomapkeys', 'cellar.index').catch(() => '')).includes(id));
}

test.serial(
  'a full cluster refuses a fill at once, with the kind that says so; with room again it is done',
  async t => {
    const {data, id, ask, disk} = setUp();
    await full(true);
    t.teardown(() => full(false));
    await failsSoon(t, ask(), 'no-space', 10_000);
    await full(false);
    await nothingIsLeftOf(t, id);
    t.is((await ask()).outcome, 'filled');
    t.true((await real.read(disk)).equals(data));
  },
);

test.serial(
  'a cluster that gets full in mid-fill ends the fill, and the half copy is removed though it is full',
  async t => {
    const {images, id, ask} = setUp();
    images.body = async function* (data) {
      yield data.subarray(0, 5 << 20);
      await full(true);
      yield data.subarray(5 << 20);
    };
    t.teardown(() => full(false));
    await failsSoon(t, ask(), 'no-space', 15_000);
    t.false((await real.cell.copies.list(never)).some(name => name.startsWith(id)));
    await full(false);
    await recover(makeWorld(real.agent(), images), never);
    await nothingIsLeftOf(t, id);
  },
);

test.serial('what cannot be removed because the cluster is full is not said to be removed', async t => {
  const pool = await ceph.createPool('vms'); // nothing was ever removed from it
  const {disks} = real.agent({connect: connectAs(ceph, 'admin')});
  const disk = {pool, name: freshName('disk')};
  await real.flat(disk, someBytes());
  await full(true);
  t.teardown(() => full(false));
  await failsSoon(t, disks.remove(disk, never), 'unavailable', 10_000);
  t.is((await disks.state(disk, never)).kind, 'image');
  await full(false);
  await disks.remove(disk, never);
  t.is((await disks.state(disk, never)).kind, 'absent');
});

test.serial('an OSD that hangs costs a request its deadline and no more; when it answers again, so do we', async t => {
  const {data, ask, disk, world} = setUp();
  await real.cell.disks.state({pool: real.pools.disks, name: freshName('disk')}, never); // connected
  ceph.signal('osd.0', 'SIGSTOP');
  t.teardown(() => ceph.signal('osd.0', 'SIGCONT'));
  world.limits.cleanUpTimeout = 2 * osdOpTimeoutMs;
  await failsSoon(t, ask(), 'timeout', 2 * osdOpTimeoutMs);
  ceph.signal('osd.0', 'SIGCONT');
  t.is((await ask()).outcome, 'filled');
  t.true((await real.read(disk)).equals(data));
});

test.serial(
  'an OSD that hangs in mid-fill ends the fill; the next one is whole, and recovery leaves one copy',
  async t => {
    const {images, data, id, ask, disk, world} = setUp();
    images.body = async function* (data) {
      yield data.subarray(0, 5 << 20);
      ceph.signal('osd.0', 'SIGSTOP');
      yield data.subarray(5 << 20);
    };
    t.teardown(() => ceph.signal('osd.0', 'SIGCONT'));
    world.limits.cleanUpTimeout = 2 * osdOpTimeoutMs;
    const error = await t.throwsAsync(ask(), {instanceOf: CellarError});

    t.true(error?.kind === 'timeout' || error?.kind === 'unavailable', error?.message);
    ceph.signal('osd.0', 'SIGCONT');
    images.body = undefined;
    await serves();
    await ask();
    t.true((await real.read(disk)).equals(data));
    const another = real.agent(); // it may fence off the one whose fill hung
    await recover(makeWorld(another, images), never);
    t.is((await another.copies.list(never)).filter(name => name.startsWith(id)).length, 1);
  },
);
