/** Fillers that died or hang, and sessions that were fenced off. */
import {randomUUID} from 'node:crypto';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import type {CellarError} from '../../src/core/errors.ts';
import {copyName, fillLease} from '../../src/core/fill.ts';
import {recover} from '../../src/core/recover.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {Connection} from '../../src/rbd/connection.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, never, someBytes} from '../suites/subject.ts';
import {agentProcess} from './agent-process.ts';
import {idOf} from './by-hand.ts';
import {connectAs, realCell} from './real-cell.ts';

const leaseDuration = 2000;
const subject = realCell(test, {leaseDuration, busyTimeout: 500});

/** A filler with its lease and a half-written copy, whose header it watches. */
async function filler(image: string = randomUUID()) {
  const {pools, user} = await subject();
  const name = copyName(image, '0123456789abcdef');
  const work = {user, pool: pools.cache, leaseDuration, hold: fillLease(image), write: name};
  return {image, name, process: await agentProcess(work)};
}

test("a killed filler's copy is removed at once, though its watch lives on for 30 s", async t => {
  const {cell} = await subject();
  const {name, process} = await filler();
  await process.kill();
  const started = performance.now();
  await cell.copies.remove(name, never);
  t.true(performance.now() - started < 20_000);
  t.false((await cell.copies.list(never)).includes(name));
});

test('a filler that only hung finds itself fenced off: what it writes later lands nowhere', async t => {
  const real = await subject();
  const {cache} = real.pools;
  const {name, process} = await filler();
  t.teardown(process.kill);
  const id = await idOf(real, {pool: cache, name});
  const objects = async () => (await real.rados(cache, 'ls')).split('\n').filter(object => object.includes(id));
  t.true((await objects()).length > 1);
  process.child.kill('SIGSTOP');
  await real.cell.copies.remove(name, never);
  t.deepEqual(await objects(), []);
  process.child.kill('SIGCONT');
  await sleep(1500);
  t.deepEqual(await objects(), []);
});

for (const features of [1, 3, 5, 61]) {
  test(`whatever rbd_default_features says (${features}), a copy can be cloned and has the lock that fences fillers off`, async t => {
    const {agent, admin, ceph, user, pools} = await subject();
    const options = {rbd_default_features: `${features}`};
    const {copies} = agent({connect: {...connectAs(ceph, user), options}});
    const name = copyName(randomUUID(), '0123456789abcdef');
    const writer = await copies.create(name, 4096, never);
    await writer.append(Buffer.alloc(4096, 1));
    await writer.finish();
    await writer.seal(never);
    const pool = await admin(pools.cache);
    const image = await pool.openImage(name, {readOnly: true});
    t.is((await image.info()).features, (features & ~2) | 5);
    await pool.close();
    await copies.remove(name, never);
  });
}

test("the next fill takes over when the dead one's lease has ended, and leaves one copy", async t => {
  const {cell, pools, read} = await subject();
  const images = new FakeImages();
  const data = someBytes();
  const {id} = images.add(data);
  const dead = await filler(id);
  await dead.process.kill();
  const disk = {pool: pools.disks, name: freshName('disk')};
  const started = performance.now();
  const {outcome} = await resolve(makeWorld(cell, images, {waitPoll: 100}), {image: id, ...disk});
  t.is(outcome, 'filled');
  t.true(performance.now() - started < 25_000);
  t.true((await read(disk)).equals(data));
  t.is((await cell.copies.list(never)).filter(name => name.startsWith(id)).length, 1);
});

test("recovery removes a dead filler's copy, lease object included", async t => {
  const {cell, rados, pools} = await subject();
  const {image, name, process} = await filler();
  await process.kill();
  await sleep(leaseDuration + 500);
  await recover(makeWorld(cell, new FakeImages(), {host: 'of no other test'}), never);
  t.false((await cell.copies.list(never)).includes(name));
  t.false((await rados(pools.cache, 'ls')).includes(image));
});

test('a session that was fenced off fails its next call, and the one after it has a new session', async t => {
  const {ceph, user, pools} = await subject();
  const connection = new Connection({binding: loadBinding(), connect: connectAs(ceph, user)});
  t.teardown(() => connection.close());
  const call = () => connection.use(pools.cache, never, pool => pool.listImages());
  await call();
  const {addresses} = await connection.cluster(never);
  for (const address of addresses) await ceph.ceph('osd', 'blocklist', 'add', address.replace(/^v\d:/, ''));
  let failed = 0;
  for (const end = performance.now() + 10_000; failed === 0 && performance.now() < end; await sleep(50)) {
    const all = await Promise.allSettled([call(), call(), call()]);
    for (const result of all) {
      if (result.status === 'fulfilled') continue;
      t.is((result.reason as CellarError).kind, 'unavailable');
      failed++;
    }
  }
  t.true(failed > 0);
  for (let count = 0; count < 3; count++) await t.notThrowsAsync(call());
});
