/** Waiting for a fill of another host, in time that is too long to pass: only what is told ends it. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {formatBulletin} from '../../src/core/bulletin.ts';
import {CellarError} from '../../src/core/errors.ts';
import {fillLease} from '../../src/core/fill.ts';
import type {Progress} from '../../src/core/request.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {imageBytes, makeWorld, resolve} from './world.ts';

const long = {waitPoll: 3_600_000, waitTimeout: 7_200_000};

/** Two hosts of a cell with a cold image. `reached` resolves when the filler has taken so many chunks; it goes on when told. */
function twoHosts() {
  const cell = new FakeCell();
  const images = new FakeImages();
  const data = imageBytes();
  const image = images.add(data);
  const looks: string[] = [];
  const reached = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  let chunks = 0;
  cell.before = async (step, name) => {
    if (step === 'acquire') looks.push(name);
    if (step !== 'write' || ++chunks !== 4) return;
    reached.resolve();
    await go.promise;
  };
  const [filler, waiter] = [makeWorld(cell, images, {host: 'a'}), makeWorld(cell, images, {host: 'b', ...long})];
  return {cell, images, data, image, filler, waiter, looks, reached: reached.promise, go: go.resolve};
}

const until = async (condition: () => boolean) => {
  while (!condition()) await sleep(1);
};

test('a waiter hears how far the fill is, and clones the copy when it is published, without a look in between', async t => {
  const {cell, images, data, image, filler, waiter, looks, reached, go} = twoHosts();
  const filled = resolve(filler, {image: image.id, name: 'a'});
  await reached;
  const heard: Progress[] = [];
  const waiting = resolve(waiter, {image: image.id, name: 'b'}, {onProgress: progress => heard.push(progress)});
  await until(() => heard.length > 0);
  const {received = 0} = heard[0] ?? {};
  t.true(received < data.length);
  t.deepEqual(waiter.fills.running, [{key: image.id, progress: {image: image.id, received, size: data.length}}]);
  go();
  t.deepEqual([(await filled).outcome, (await waiting).outcome], ['filled', 'cloned-from-cache']);
  t.deepEqual(heard.at(-1), {image: image.id, received: data.length, size: data.length});
  t.is(looks.length, 2, 'one look of each: the filler got the lease, the waiter did not');
  t.is(images.downloads.length, 1);
  t.true(cell.read({pool: 'vms', name: 'b'}).equals(data));
  t.is(cell.news.following.size, 0);
});

test('when the fill fails, one that waits takes over at once', async t => {
  const {cell, images, image, filler, waiter, looks, reached, go} = twoHosts();
  const failing = t.throwsAsync(resolve(filler, {image: image.id, name: 'a'}), {message: /cut/});
  await reached;
  const waiting = resolve(waiter, {image: image.id, name: 'b'});
  await until(() => cell.news.following.size > 0);
  const {before} = cell;
  cell.before = (step, name) => {
    if (step === 'seal') {
      cell.before = before;
      throw new CellarError('unavailable', 'cut');
    }
    return before(step, name);
  };
  go();
  await failing;
  t.is((await waiting).outcome, 'filled');
  t.is(looks.length, 3);
  t.is(images.downloads.length, 2);
  t.is(cell.news.following.size, 0);
});

test('a fill that ends between the look and the following is looked at again at once', async t => {
  const {cell, image, waiter, looks} = twoHosts();
  const lease = await cell.leases.acquire(fillLease(image.id));
  const {before} = cell;
  cell.before = async (step, name) => {
    if (step === 'follow') await lease?.release();
    else if (step !== 'write') await before(step, name);
  };
  t.is((await resolve(waiter, {image: image.id})).outcome, 'filled');
  t.is(looks.length, 3);
});

test('where it cannot be followed it is looked at after a while, and an abort still ends the wait', async t => {
  const {cell, images, image, waiter, looks} = twoHosts();
  const lease = await cell.leases.acquire(fillLease(image.id));
  const {before} = cell;
  cell.before = (step, name) => {
    if (step === 'follow') throw new CellarError('forbidden', 'no watch for this key');
    if (step !== 'write') return before(step, name);
  };
  const leaver = new AbortController();
  const leaving = resolve(waiter, {image: image.id, name: 'a'}, {signal: leaver.signal});
  const polling = resolve(makeWorld(cell, images, {waitPoll: 2}), {image: image.id, name: 'b'});
  await until(() => looks.length > 4);
  leaver.abort(new Error('gone'));
  await t.throwsAsync(leaving, {message: 'gone'});
  await lease?.release();
  t.is((await polling).outcome, 'filled');
});

test('who leaves while waiting leaves at once, and nobody follows any more', async t => {
  const {cell, image, waiter} = twoHosts();
  const lease = await cell.leases.acquire(fillLease(image.id));
  const leaver = new AbortController();
  const waiting = resolve(waiter, {image: image.id}, {signal: leaver.signal});
  await until(() => cell.news.following.size > 0);
  leaver.abort(new CellarError('cancelled', 'the caller went away'));
  t.is((await t.throwsAsync(waiting, {instanceOf: CellarError}))?.kind, 'cancelled');
  t.is(cell.news.following.size, 0);
  t.deepEqual(waiter.fills.running, []);
  await lease?.release();
});

test('what is told by others is no progress, and does not keep a waiter from looking', async t => {
  const {cell, images, image, looks} = twoHosts();
  const lease = await cell.leases.acquire(fillLease(image.id));
  const heard: Progress[] = [];
  const world = makeWorld(cell, images, {waitPoll: 20});
  const leaver = new AbortController();
  const waiting = resolve(
    world,
    {image: image.id},
    {signal: leaver.signal, onProgress: progress => heard.push(progress)},
  );
  const generation = 'aaaaaaaaaaaaaaaa';
  const other = formatBulletin({image: '99999999-2222-3333-4444-555555555555', generation, received: 1, size: 2});
  const chatter = setInterval(() => {
    for (const news of ['', '{"schema":1}', other]) lease?.tell(news);
  }, 1);
  await until(() => looks.length > 3);
  clearInterval(chatter);
  leaver.abort(new Error('enough'));
  await t.throwsAsync(waiting, {message: 'enough'});
  t.deepEqual(heard, []);
});

test('the limit of a wait counts while it follows too', async t => {
  const {cell, images, image} = twoHosts();
  await cell.leases.acquire(fillLease(image.id));
  const waiting = resolve(makeWorld(cell, images, {...long, waitTimeout: 50}), {image: image.id});
  t.is((await t.throwsAsync(waiting, {instanceOf: CellarError}))?.kind, 'timeout');
  t.is(cell.news.following.size, 0);
});
