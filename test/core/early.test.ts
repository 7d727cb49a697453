/** What is asked of the cell while Glance is asked: only questions, and nothing that they answer is believed for too long. */
import test from 'ava';
import type {Entry} from '../../src/core/entry.ts';
import {CellarError} from '../../src/core/errors.ts';
import {retire} from '../../src/core/retire.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {imageBytes, makeWorld, never, resolve} from './world.ts';

const disk = {pool: 'vms', name: 'disk'};

/** With a copy in the cache; `steps` are those of the requests that follow. */
async function warm() {
  const cell = new FakeCell();
  const images = new FakeImages();
  const data = imageBytes();
  const image = images.add(data, {readers: new Set(['good'])});
  const world = makeWorld(cell, images);
  const ask = (name = disk.name, token = 'good') => resolve(world, {image: image.id, name, requester: {token}});
  const {parent} = await ask('warm');
  const steps: string[] = [];
  cell.before = step => {
    steps.push(step);
  };
  return {cell, images, data, image, world, parent, ask, steps};
}

/** Calls `act` when Glance is about to answer. */
function whileGlanceAnswers(images: FakeImages, act: () => unknown) {
  const get = images.get.bind(images);
  images.get = async (...args) => {
    await new Promise(resolve => setImmediate(resolve));
    await act();
    return get(...args);
  };
}

test('until Glance has answered, and after its no, the cell is asked and nothing is done there', async t => {
  const {images, ask, steps} = await warm();
  const questions = ['fsid', 'index-get', 'intent-get', 'state'];
  whileGlanceAnswers(images, () => t.deepEqual(steps.toSorted(), questions));
  await t.throwsAsync(ask('theirs', 'bad'), {instanceOf: CellarError, message: /no image/});
  t.deepEqual(steps.toSorted(), questions);
  steps.length = 0;
  t.is((await ask()).outcome, 'cloned-from-cache');
  t.true(steps.includes('clone'));
});

test("Glance's no is the answer also where the cell gives none", async t => {
  const {cell, images, ask} = await warm();
  whileGlanceAnswers(images, () => {});
  cell.before = () => {
    throw new CellarError('unavailable', 'the cluster is down');
  };
  t.is((await t.throwsAsync(ask('theirs', 'bad'), {instanceOf: CellarError}))?.kind, 'not-found');
  t.is((await t.throwsAsync(ask(), {instanceOf: CellarError}))?.kind, 'unavailable');
});

test('a disk that somebody makes while Glance answers is found, and is theirs', async t => {
  const {cell, images, data, parent, ask} = await warm();
  whileGlanceAnswers(images, async () => {
    await cell.disks.clone(parent, disk, new AbortController().signal);
    await cell.disks.grow(disk, data.length + 1, new AbortController().signal);
  });
  const {outcome, size} = await ask();
  t.is(outcome, 'exists');
  t.is(size, data.length + 1);
  t.is(cell.journal.size, 0);
});

test('a disk that is removed while Glance answers is made', async t => {
  const {cell, images, data, ask} = await warm();
  await ask();
  whileGlanceAnswers(images, () => cell.disks.remove(disk));
  t.is((await ask()).outcome, 'cloned-from-cache');
  t.true(cell.read(disk).equals(data));
});

test('of many requests for one disk the first makes it, and the others look again in their turn', async t => {
  const {steps, ask} = await warm();
  const all = await Promise.all(Array.from({length: 8}, () => ask()));
  t.is(all.filter(({outcome}) => outcome === 'cloned-from-cache').length, 1);
  t.is(all.filter(({outcome}) => outcome === 'exists').length, 7);
  t.is(steps.filter(step => step === 'clone').length, 1);
});

test('what was seen before a turn that had to be waited for is not believed, nor is that it could not be seen', async t => {
  const {cell, images, image, data, ask, world} = await warm();
  const gate = Promise.withResolvers<void>();
  const mine = Promise.withResolvers<void>();
  const busy = world.turns.take('vms/disk', never, async () => {
    mine.resolve();
    await gate.promise;
  });
  await mine.promise;
  let looked = false;
  cell.before = step => {
    if (step !== 'state' || looked) return;
    looked = true;
    throw new CellarError('conflict', 'it is being removed');
  };
  whileGlanceAnswers(images, () => {});
  const asked = ask();
  asked.catch(() => {});
  while (!looked) await new Promise(resolve => setImmediate(resolve));
  for (let round = 0; round < 10; round++) await new Promise(resolve => setImmediate(resolve));
  const entry = JSON.parse(cell.entries.get(image.id) ?? '') as Entry;
  await retire(entry, 'its bytes are not those that were stored', world, never, {reason: 'damaged', quarantined: true});
  gate.resolve();
  await busy;
  const {outcome, parent} = await asked;
  t.is(outcome, 'filled');
  t.not(parent.image, entry.rbdImage);
  t.true(cell.read(disk).equals(data));
});

test('a look that failed while Glance answered is taken again', async t => {
  const {cell, images, ask} = await warm();
  whileGlanceAnswers(images, () => {});
  let failed = false;
  cell.before = step => {
    if (step !== 'state' || failed) return;
    failed = true;
    throw new CellarError('conflict', 'it is being removed');
  };
  t.is((await ask()).outcome, 'cloned-from-cache');
  t.true(failed);
});

test('a location is looked at again while Glance answers; the snapshot that Glance names then is the one that is cloned', async t => {
  const {cell, images, image, data, ask, steps} = await warm();
  const near = (name: string, clonable = true) => {
    cell.put({pool: 'images', image: name, snapshot: 'snap'}, data, clonable);
    return {url: `rbd://${cell.id}/images/${name}/snap`, metadata: {}};
  };
  image.locations.push(near('first'));
  t.is((await ask('a')).parent.image, 'first');
  steps.length = 0;
  let meanwhile: string[] = [];
  whileGlanceAnswers(images, () => {
    meanwhile = [...steps];
  });
  t.is((await ask('b')).outcome, 'cloned');
  t.true(meanwhile.includes('parent-state'));
  t.is(steps.filter(step => step === 'parent-state').length, 1);

  image.locations[0] = near('second');
  t.is((await ask('c')).parent.image, 'second');
  cell.images.delete('images/second');
  t.is((await ask('d')).outcome, 'cloned-from-cache');
  image.locations[0] = near('first');
  t.is((await ask('e')).parent.image, 'first');
  image.locations[0] = near('unprotected', false);
  t.is((await ask('f')).outcome, 'cloned-from-cache');
});
