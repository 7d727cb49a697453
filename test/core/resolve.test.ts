/** One request from end to end, on a cell and a Glance in memory. */
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {imageBytes, makeWorld, resolve, types} from './world.ts';

const disk = {pool: 'vms', name: 'disk'};

function setUp(record = {}) {
  const cell = new FakeCell();
  const images = new FakeImages();
  const data = imageBytes();
  const image = images.add(data, record);
  return {cell, images, data, image, world: makeWorld(cell, images)};
}

const kindOf = async (t: import('ava').ExecutionContext, promise: Promise<unknown>) =>
  (await t.throwsAsync(promise, {instanceOf: CellarError}))?.kind;

test('the first disk fills the cache, the second is cloned from it, a repeated request finds its disk', async t => {
  const {cell, images, data, image, world} = setUp();
  const first = await resolve(world, {image: image.id});
  t.is(first.outcome, 'filled');
  t.is(first.glanceBytes, data.length);
  t.deepEqual(
    first.roads.map(({road, taken}) => [road, taken]),
    [
      ['location', false],
      ['cached', false],
      ['fill', true],
    ],
  );
  const second = await resolve(world, {image: image.id, name: 'other'});
  t.is(second.outcome, 'cloned-from-cache');
  t.is(second.glanceBytes, 0);
  const again = await resolve(world, {image: image.id});
  t.is(again.outcome, 'exists');
  t.deepEqual(again.parent, first.parent);
  t.deepEqual(
    again.roads.map(({road}) => road),
    ['exists'],
  );
  t.deepEqual(images.downloads, [image.id]);
  for (const name of ['disk', 'other']) t.true(cell.read({pool: 'vms', name}).equals(data));
  t.is(cell.journal.size + cell.claims.size + cell.held.size, 0);
});

test("an image in the cell's own cluster is cloned from there, and nothing is cached", async t => {
  const {cell, images, data, image, world} = setUp();
  cell.put({pool: 'images', image: image.id, snapshot: 'snap'}, data);
  image.locations.push({url: `rbd://${cell.id}/images/${image.id}/snap`, metadata: {}});
  const result = await resolve(world, {image: image.id});
  t.is(result.outcome, 'cloned');
  t.deepEqual(result.parent, {pool: 'images', image: image.id, snapshot: 'snap'});
  t.deepEqual(images.downloads, []);
  t.is(cell.entries.size, 0);
  t.true(cell.read(disk).equals(data));
});

test('the walk passes by foreign clusters, missing pools, foreign pools and unprotected snapshots, and says so', async t => {
  const {cell, data, image, world} = setUp();
  cell.forbidden.add('vms');
  cell.put({pool: 'images', image: 'plain', snapshot: 'snap'}, data, false);
  cell.put({pool: 'images', image: 'good', snapshot: 'snap'}, data);
  for (const path of [
    'other/p/i/s',
    `${cell.id}/nowhere/i/s`,
    `${cell.id}/vms/i/s`,
    `${cell.id}/images/none/s`,
    `${cell.id}/images/plain/snap`,
    `${cell.id}/images/good/snap`,
  ]) {
    image.locations.push({url: `rbd://${path}`, metadata: {}});
  }
  const {outcome, parent, roads} = await resolve(world, {image: image.id});
  t.is(outcome, 'cloned');
  t.is(parent.image, 'good');
  t.deepEqual(
    roads.map(({why}) => why),
    [
      `p/i@s is in the cluster other, this cell's is ${cell.id}`,
      'nowhere/i@s: there is no pool nowhere',
      "vms/i@s: this agent's key may not read pool vms",
      'images/none@s: there is no images/none@s',
      'images/plain@snap: the snapshot is not protected, and clones of format 1 need that',
      "images/good@snap is in this cell's cluster",
    ],
  );
});

test('a token that cannot read the image gets 404, though a copy is there, and no disk', async t => {
  const {cell, image, world} = setUp({readers: new Set(['good'])});
  await resolve(world, {image: image.id, requester: {token: 'good'}});
  t.is(await kindOf(t, resolve(world, {image: image.id, name: 'theirs', requester: {token: 'bad'}})), 'not-found');
  t.is(await kindOf(t, resolve(world, {image: image.id, requester: {token: 'bad'}})), 'not-found');
  t.false(cell.images.has('vms/theirs'));
});

for (const status of ['deactivated', 'queued', 'deleted']) {
  test(`an image that is ${status} is refused, though a copy is there`, async t => {
    const {cell, image, world} = setUp();
    await resolve(world, {image: image.id});
    image.status = status;
    t.is(await kindOf(t, resolve(world, {image: image.id, name: 'other'})), 'unacceptable');
    t.false(cell.images.has('vms/other'));
  });
}

test('a clone that fails because its parent went away goes on with the next road', async t => {
  const {cell, data, image, world} = setUp();
  for (const name of ['first', 'second']) {
    cell.put({pool: 'images', image: name, snapshot: 'snap'}, data);
    image.locations.push({url: `rbd://${cell.id}/images/${name}/snap`, metadata: {}});
  }
  cell.before = step => {
    if (step === 'clone') cell.images.delete('images/first');
  };
  const {outcome, parent, roads} = await resolve(world, {image: image.id});
  t.is(outcome, 'cloned');
  t.is(parent.image, 'second');
  t.is(roads[0]?.why, 'images/first@snap: there is no images/first@snap');
  t.is(cell.journal.size, 0);
});

test('when every location goes away while it is cloned, the image is filled', async t => {
  const {cell, data, image, world} = setUp();
  cell.put({pool: 'images', image: 'only', snapshot: 'snap'}, data);
  image.locations.push({url: `rbd://${cell.id}/images/only/snap`, metadata: {}});
  cell.before = step => {
    if (step === 'clone') cell.images.delete('images/only');
  };
  t.is((await resolve(world, {image: image.id})).outcome, 'filled');
  t.true(cell.read(disk).equals(data));
});

test('an entry whose copy is gone is taken out, and the image filled again', async t => {
  const {cell, images, data, image, world} = setUp();
  const {parent} = await resolve(world, {image: image.id});
  cell.images.delete(`cellar/${parent.image}`);
  const again = await resolve(world, {image: image.id, name: 'other'});
  t.is(again.outcome, 'filled');
  t.not(again.parent.image, parent.image);
  t.is(images.downloads.length, 2);
  t.true(types(world).includes('copy-retired'));
  t.deepEqual([...cell.retiredCopies.keys()], [parent.image]);
  t.true(cell.read({pool: 'vms', name: 'other'}).equals(data));
});

test('a copy of another file of this image is replaced, and stays for clones that were begun', async t => {
  const {cell, images, image, world} = setUp();
  await resolve(world, {image: image.id});
  cell.images.delete('vms/disk');
  const old = [...cell.images.keys()];
  const data = imageBytes(2000);
  images.records.delete(image.id);
  images.add(data, {id: image.id});
  t.is((await resolve(world, {image: image.id})).outcome, 'filled');
  t.true(cell.read(disk).equals(data));
  t.deepEqual(
    old,
    [...cell.retiredCopies.keys()].map(name => `cellar/${name}`),
  );
  t.true(old.every(name => cell.images.has(name)));
});

test('a disk is as large as asked, and its end reads as zeros; asked again for more it grows, for less it stays', async t => {
  const {cell, data, image, world} = setUp();
  const size = data.length + 12_345;
  t.is((await resolve(world, {image: image.id, size})).size, size);
  t.true(cell.read(disk).equals(Buffer.concat([data, Buffer.alloc(12_345)])));
  t.is((await resolve(world, {image: image.id, size: size + 1})).size, size + 1);
  t.is((await resolve(world, {image: image.id, size})).size, size + 1);
});

test('a disk smaller than the image is refused before anything is downloaded', async t => {
  const {cell, images, data, image, world} = setUp();
  t.is(await kindOf(t, resolve(world, {image: image.id, size: data.length - 1})), 'unacceptable');
  t.deepEqual(images.downloads, []);
  t.is(cell.images.size, 0);
});

test('a pool that is not there is told, and costs neither a download nor the copy', async t => {
  const {cell, images, image, world} = setUp();
  await resolve(world, {image: image.id});
  t.is(await kindOf(t, resolve(world, {image: image.id, pool: 'nowhere'})), 'not-found');
  t.is(images.downloads.length, 1);
  t.is(cell.entries.size, 1);
});
