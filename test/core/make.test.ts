/** Making a disk while the world changes between two looks at it. */
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import type {SnapshotSpec} from '../../src/core/ports.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {intent} from './facts.ts';
import {imageBytes, makeWorld, never, resolve, types} from './world.ts';

const disk = {pool: 'vms', name: 'disk'};

/** With a copy in the cache, which `parent` is the snapshot of. */
async function warm() {
  const cell = new FakeCell();
  const images = new FakeImages();
  const data = imageBytes();
  const image = images.add(data);
  const world = makeWorld(cell, images);
  const {parent} = await resolve(world, {image: image.id, name: 'warm'});
  cell.images.delete('vms/warm');
  return {cell, images, data, image, world, parent};
}

const kindOf = async (t: ExecutionContext, promise: Promise<unknown>) =>
  (await t.throwsAsync(promise, {instanceOf: CellarError}))?.kind;

/** An image under the disk's name, as somebody else made it. */
function stand(cell: FakeCell, changes: {parent?: SnapshotSpec; registered?: boolean; own?: boolean}) {
  const data = Buffer.from('precious');
  cell.images.set('vms/disk', {
    data,
    size: data.length,
    own: false,
    registered: true,
    snapshots: new Map(),
    ...changes,
  });
}

/** Runs once, before the next step of that name, or the one after so many. */
function once(cell: FakeCell, step: string, act: () => void | Promise<void>, skip = 0) {
  let seen = 0;
  cell.before = async at => {
    if (at !== step || seen++ < skip) return;
    cell.before = () => {};
    await act();
  };
}

test('half a disk without an intent is repaired once it stayed so for a while', async t => {
  const {cell, data, image, world} = await warm();
  cell.torn.add('vms/disk');
  t.is((await resolve(world, {image: image.id})).outcome, 'cloned-from-cache');
  t.true(cell.read(disk).equals(data));
  t.true(types(world).includes('disk-repaired'));
});

test('half a disk that somebody finishes meanwhile is theirs, and answered for', async t => {
  const {cell, image, world, parent} = await warm();
  cell.torn.add('vms/disk');
  const finished = () => {
    cell.torn.delete('vms/disk');
    stand(cell, {parent, own: true});
  };
  once(cell, 'state', finished, 1);
  t.is((await resolve(world, {image: image.id})).outcome, 'exists');
  t.false(types(world).includes('disk-repaired'));
});

test('a disk that was torn before a long fill, and whole after it, is not removed', async t => {
  const cell = new FakeCell();
  const images = new FakeImages();
  const image = images.add(imageBytes());
  const world = makeWorld(cell, images);
  cell.torn.add('vms/disk');
  once(cell, 'seal', async () => {
    await sleep(1);
    cell.torn.delete('vms/disk');
    stand(cell, {
      parent: {pool: 'cellar', image: [...cell.images.keys()][0]?.slice('cellar/'.length) ?? '', snapshot: 'snap'},
      own: true,
    });
  });
  t.is((await resolve(world, {image: image.id})).outcome, 'exists');
  t.is(cell.images.get('vms/disk')?.data.toString(), 'precious');
  t.false(types(world).includes('disk-repaired'));
});

for (const left of [undefined, intent()]) {
  test(`a torn disk (${left ? 'of a dead run' : 'of nobody'}) that becomes whole just before it is repaired is not removed`, async t => {
    const {cell, image, world, parent} = await warm();
    cell.torn.add('vms/disk');
    if (left) await cell.intents.put(disk, left, undefined);
    once(cell, 'intent', () => {
      cell.torn.delete('vms/disk');
      stand(cell, {parent, own: true});
    });
    t.is((await resolve(world, {image: image.id})).outcome, 'exists');
    t.is(cell.images.get('vms/disk')?.data.toString(), 'precious');
    t.is(cell.journal.size, 0);
  });
}

for (const what of ['no parent yet', 'a parent that does not list it yet'] as const) {
  test(`an empty image with ${what} may be in the making: it is looked at again before it is refused`, async t => {
    const {cell, image, world, parent} = await warm();
    stand(cell, what === 'no parent yet' ? {} : {parent, registered: false});
    once(cell, 'state', () => stand(cell, {parent}), 1);
    t.is((await resolve(world, {image: image.id})).outcome, 'exists');
  });
}

const foreign: [string, (parent: SnapshotSpec) => Parameters<typeof stand>[1]][] = [
  ['a flat image with data', () => ({own: true})],
  ['a flat image that is empty', () => ({})],
  ['a clone of another image', parent => ({parent: {...parent, image: 'another'}})],
  ['a clone that its parent does not list', parent => ({parent, registered: false})],
];
for (const [what, changes] of foreign) {
  test(`${what}, without an intent, is left alone with 409`, async t => {
    const {cell, image, world, parent} = await warm();
    stand(cell, changes(parent));
    t.is(await kindOf(t, resolve(world, {image: image.id})), 'conflict');
    t.is(cell.images.get('vms/disk')?.data.toString(), 'precious');
    t.is(cell.journal.size, 0);
  });
}

test('when the name is taken while we clone, and clearing the intent fails, the other disk stays', async t => {
  const {cell, image, world, parent} = await warm();
  cell.before = step => {
    if (step === 'clone') stand(cell, {parent});
    if (step === 'clear') throw new CellarError('timeout', 'no answer');
  };
  t.is(await kindOf(t, resolve(world, {image: image.id})), 'timeout');
  t.true(cell.images.has('vms/disk'));
});

test('a disk that was taken over while we hung is not removed when we fail', async t => {
  const {cell, image, world} = await warm();
  once(cell, 'grow', async () => {
    const mine = await cell.intents.get(disk);
    if (mine) await cell.intents.clear(disk, mine); // another host took the intent over, finished the disk, and cleared it
    throw new CellarError('timeout', 'no answer for a long time');
  });
  t.is(await kindOf(t, resolve(world, {image: image.id, size: 2 ** 30})), 'timeout');
  t.true(cell.images.has('vms/disk'));
});

test('a disk that fails after it was cloned is taken away with its intent', async t => {
  const {cell, image, world} = await warm();
  once(cell, 'grow', () => {
    throw new CellarError('no-space', 'full');
  });
  t.is(await kindOf(t, resolve(world, {image: image.id, size: 2 ** 30})), 'no-space');
  t.false(cell.images.has('vms/disk'));
  t.is(cell.journal.size, 0);
});

test('a disk that is deleted while it is made costs neither the copy nor a download', async t => {
  const {cell, images, image, world} = await warm();
  once(cell, 'grow', () => {
    cell.images.delete('vms/disk');
  });
  t.is(await kindOf(t, resolve(world, {image: image.id, size: 2 ** 30})), 'not-found');
  t.is(cell.entries.size, 1);
  t.is(images.downloads.length, 1);
});

test('a torn disk that cannot be removed keeps an intent, so that the next look knows it for torn', async t => {
  const {cell, image, world} = await warm();
  stand(cell, {});
  await cell.intents.put(disk, intent(), undefined);
  cell.before = step => {
    if (step === 'remove') throw new CellarError('conflict', 'in use');
  };
  t.is(await kindOf(t, resolve(world, {image: image.id})), 'conflict');
  t.is(cell.journal.size, 1);
  cell.before = () => {};
  t.is((await resolve(world, {image: image.id})).outcome, 'cloned-from-cache');
});

test('a request that is aborted while it clones leaves neither disk nor intent', async t => {
  const {cell, image, world} = await warm();
  const leaver = new AbortController();
  cell.disks.grow = async (_disk, _size, signal = never) => {
    leaver.abort(new CellarError('cancelled', 'gone'));
    signal.throwIfAborted();
  };
  t.is(await kindOf(t, resolve(world, {image: image.id, size: 2 ** 30}, {signal: leaver.signal})), 'cancelled');
  t.false(cell.images.has('vms/disk'));
  t.is(cell.journal.size, 0);
});

test("while another host makes the disk, the answer is 503 with that host's name; when it is stale, it is taken over", async t => {
  const {cell, data, image, world} = await warm();
  stand(cell, {});
  await cell.intents.put(disk, intent({host: 'node2', since: new Date().toISOString()}), undefined);
  const error = await t.throwsAsync(resolve(world, {image: image.id}), {instanceOf: CellarError, message: /node2/});
  t.is(error?.kind, 'unavailable');
  world.limits.intentStale = 0;
  t.is((await resolve(world, {image: image.id})).outcome, 'cloned-from-cache');
  t.true(cell.read(disk).equals(data));
});
