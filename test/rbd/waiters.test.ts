/** Who waits for a fill on real Ceph, in time that is too long to pass: only the watch ends it. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {fillLease} from '../../src/core/fill.ts';
import type {Lease} from '../../src/core/ports.ts';
import type {Progress} from '../../src/core/request.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, never, someBytes} from '../suites/subject.ts';
import {agentProcess} from './agent-process.ts';
import {realCell} from './real-cell.ts';

const subject = realCell(test);
const long = {waitPoll: 3_600_000, waitTimeout: 7_200_000};

/** A fill that is held up in its middle until `go`, and ends as that says; somebody who waits for it, following. */
async function scene() {
  const {cell, other, pools, rados, read} = await subject();
  const images = new FakeImages();
  const data = someBytes();
  const {id} = images.add(data);
  const gate = Promise.withResolvers<void>();
  images.body = async function* () {
    images.body = undefined;
    yield data.subarray(0, 5_000_000);
    await gate.promise;
    yield data.subarray(5_000_000);
  };
  const watched = async () => (await rados(pools.cache, 'listwatchers', fillLease(id))).includes('watcher=');
  const filled = resolve(makeWorld(cell, images, {host: 'a'}), {image: id, pool: pools.disks, name: `a-${id}`});
  filled.catch(() => {});
  while ((await cell.leases.holder(fillLease(id), never)) === undefined) await sleep(20);
  const heard: Progress[] = [];
  const leaver = new AbortController();
  const waiter = makeWorld(other, images, {host: 'b', ...long});
  const disk = {pool: pools.disks, name: `b-${id}`};
  const options = {signal: leaver.signal, onProgress: (progress: Progress) => heard.push(progress)};
  const waited = resolve(waiter, {image: id, ...disk}, options);
  waited.catch(() => {});
  while (heard.every(({received}) => received === 0)) await sleep(20);
  const looks = () => waiter.events.filter(({type}) => type === 'fill-waiting').length;
  return {id, data, images, gate, filled, waited, heard, looks, leaver, watched, read: () => read(disk)};
}

test('the disk of one that waits is made when the copy is published, without another look', async t => {
  const {data, gate, filled, waited, heard, looks, images, read} = await scene();
  t.deepEqual(heard.at(-1)?.received, 5_000_000);
  gate.resolve();
  t.deepEqual([(await filled).outcome, (await waited).outcome], ['filled', 'cloned-from-cache']);
  t.is(looks(), 1);
  t.is(images.downloads.length, 1);
  t.true((await read()).equals(data));
});

test('when the fill fails, one that waits takes over without another look', async t => {
  const {data, gate, filled, waited, looks, images, read} = await scene();
  gate.reject(new CellarError('unavailable', 'Glance went away'));
  await t.throwsAsync(filled, {message: 'Glance went away'});
  t.is((await waited).outcome, 'filled');
  t.is(looks(), 1);
  t.is(images.downloads.length, 2);
  t.true((await read()).equals(data));
});

test('one that leaves leaves no watch, and the fill goes on', async t => {
  const {gate, filled, waited, leaver, watched} = await scene();
  t.true(await watched());
  leaver.abort(new CellarError('cancelled', 'the caller went away'));
  await t.throwsAsync(waited, {message: 'the caller went away'});
  t.false(await watched());
  gate.resolve();
  t.is((await filled).outcome, 'filled');
});

test('a follower that hangs holds up neither what others hear nor the release', async t => {
  const {cell, other, pools, user} = await subject();
  const name = freshName('lease');
  const held = (await cell.leases.acquire(name, never)) as Lease;
  const hanging = await agentProcess({user, pool: pools.cache, leaseDuration: 6000, follow: name});
  t.teardown(hanging.kill);
  await using follower = await other.leases.follow(name, never);
  hanging.child.kill('SIGSTOP');
  for (const news of ['one', 'two', 'three']) {
    held.tell(news);
    t.deepEqual(await follower?.next(30_000, never), {told: news});
  }
  held.tell('four'); // and its notify is under way
  const ended = (async () => {
    for (;;) if ((await follower?.next(30_000, never)) === 'ended') return true;
  })();
  await held.release();
  t.true(await ended);
  t.is(await cell.leases.holder(name, never), undefined);
});
