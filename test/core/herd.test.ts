/** Many requests at once, in one process and on several hosts. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {fillLease} from '../../src/core/fill.ts';
import type {Progress} from '../../src/core/request.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {imageBytes, makeWorld, never, resolve, types} from './world.ts';

function setUp(record = {}) {
  const cell = new FakeCell();
  const images = new FakeImages();
  const data = imageBytes();
  const image = images.add(data, record);
  return {cell, images, data, image};
}

test('twenty requests on three hosts make one download, and every disk is right', async t => {
  const {cell, images, data, image} = setUp();
  const worlds = ['a', 'b', 'c'].map(host => makeWorld(cell, images, {host}));
  const names = Array.from({length: 20}, (_, number) => `disk-${number}`);
  const results = await Promise.all(
    names.map((name, number) => resolve(worlds[number % 3] ?? makeWorld(cell, images), {image: image.id, name})),
  );
  t.is(images.downloads.length, 1);
  t.is(results.filter(({outcome}) => outcome === 'filled').length, 1);
  t.is(
    results.reduce((sum, {glanceBytes}) => sum + glanceBytes, 0),
    data.length,
  );
  for (const name of names) t.true(cell.read({pool: 'vms', name}).equals(data));
  t.is(cell.journal.size + cell.claims.size + cell.held.size, 0);
  t.is([...cell.images.keys()].filter(name => name.startsWith('cellar/')).length, 1);
});

test('requests for the same disk on two hosts: one disk, made once, and nobody is told something wrong', async t => {
  const {cell, images, data, image} = setUp();
  await resolve(makeWorld(cell, images), {image: image.id, name: 'warm'});
  const worlds = ['a', 'b'].map(host => makeWorld(cell, images, {host}));
  const results = await Promise.allSettled(worlds.map(world => resolve(world, {image: image.id})));
  for (const result of results) {
    if (result.status === 'rejected') t.is((result.reason as CellarError).kind, 'unavailable');
  }
  t.true(results.some(({status}) => status === 'fulfilled'));
  t.true(cell.read({pool: 'vms', name: 'disk'}).equals(data));
  t.is(cell.journal.size, 0);
});

test('requests for the same disk in one process take turns: one makes it, the others find it', async t => {
  const {cell, images, image} = setUp();
  const world = makeWorld(cell, images);
  const results = await Promise.all([1, 2, 3].map(() => resolve(world, {image: image.id})));
  t.deepEqual(
    results.map(({outcome}) => outcome),
    ['filled', 'exists', 'exists'],
  );
});

test("when the first one's token is refused by the download, one that waits goes on with its own", async t => {
  const {cell, images, data, image} = setUp();
  const download = images.download.bind(images);
  images.download = async (record, requester, signal) => {
    await sleep(10);
    if (requester.token === 'expired') throw new CellarError('unauthorized', 'the token has expired');
    return download(record, requester, signal);
  };
  const world = makeWorld(cell, images);
  const leader = resolve(world, {image: image.id, name: 'theirs', requester: {token: 'expired'}});
  const joiners = ['a', 'b'].map(name => resolve(world, {image: image.id, name, requester: {token: name}}));
  t.is((await t.throwsAsync(leader, {instanceOf: CellarError}))?.kind, 'unauthorized');
  const outcomes = (await Promise.all(joiners)).map(({outcome}) => outcome);
  t.deepEqual(outcomes.sort(), ['cloned-from-cache', 'filled']);
  t.true(cell.read({pool: 'vms', name: 'a'}).equals(data));
  t.is(images.downloads.length, 1);
});

test("while another host fills, a request waits, says so, and clones that host's copy", async t => {
  const {cell, images, data, image} = setUp();
  const lease = await cell.leases.acquire(fillLease(image.id));
  const world = makeWorld(cell, images, {host: 'waiting'});
  const waiting = resolve(world, {image: image.id});
  await sleep(40);
  t.true(types(world).includes('fill-waiting'));
  t.deepEqual(images.downloads, []);
  await lease?.release();
  const [other, result] = await Promise.all([
    resolve(makeWorld(cell, images), {image: image.id, name: 'other'}),
    waiting,
  ]);
  t.deepEqual([other.outcome, result.outcome].sort(), ['cloned-from-cache', 'filled']);
  t.is(images.downloads.length, 1);
  t.true(cell.read({pool: 'vms', name: 'disk'}).equals(data));
});

test('waiting for another host ends at its limit, with a hint', async t => {
  const {cell, images, image} = setUp();
  await cell.leases.acquire(fillLease(image.id));
  const error = await t.throwsAsync(resolve(makeWorld(cell, images, {waitTimeout: 50}), {image: image.id}), {
    instanceOf: CellarError,
  });
  t.is(error?.kind, 'timeout');
  t.regex(error?.hint ?? '', /cellar image list/);
});

test('all who wait for a fill hear of its progress, which ends at the whole', async t => {
  const {cell, images, data, image} = setUp();
  const world = makeWorld(cell, images);
  const heard: Progress[][] = [[], []];
  await Promise.all(
    heard.map((list, number) =>
      resolve(
        world,
        {image: image.id, name: `disk-${number}`},
        {signal: never, onProgress: progress => list.push(progress)},
      ),
    ),
  );
  for (const list of heard) t.deepEqual(list.at(-1), {image: image.id, received: data.length, size: data.length});
});
