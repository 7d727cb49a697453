/** Making a disk while the world changes between two looks at it. */
import {setImmediate, setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {lookAtDisk} from '../../src/core/inspect.ts';
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

test('of a disk whose maker began while we looked, and may still take it away, the intent is seen', async t => {
  const {cell, world, parent} = await warm();
  const theirs = intent({host: 'node2', parent});
  const [asked, began] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  cell.before = async step => {
    if (step === 'intent-get') asked.resolve();
    if (step === 'state') await began.promise;
  };
  const look = lookAtDisk(disk, world, never);
  await asked.promise;
  await setImmediate(); // there is none yet, and that is what was answered
  await cell.intents.put(disk, theirs, undefined);
  await cell.disks.clone(parent, disk, never);
  began.resolve();
  const {state, intent: seen} = await look;
  t.is(state.kind, 'image');
  t.deepEqual(seen, theirs);
});

/** A maker of another host whose disk could not be grown, as it is about to take it away. `act` runs before the given step. */
function undoing(cell: FakeCell, images: FakeImages, step: string, act: () => Promise<void>) {
  const world = makeWorld(cell, images, {host: 'node2'});
  let failed = false;
  cell.before = async at => {
    if (at === 'grow' && !failed) {
      failed = true;
      throw new CellarError('timeout', 'no answer');
    }
    if (at !== step || !failed) return;
    cell.before = () => {};
    await act();
  };
  return world;
}

test('a slow maker that is about to undo its disk leaves it to who has finished it meanwhile', async t => {
  const {cell, images, data, image} = await warm();
  const other = makeWorld(cell, images, {host: 'node3', intentStale: 0});
  const slow = undoing(cell, images, 'state', async () => {
    t.is((await resolve(other, {image: image.id})).outcome, 'exists');
  });
  await t.throwsAsync(resolve(slow, {image: image.id, size: 2 ** 24}), {message: 'no answer'});
  t.true(cell.read(disk).subarray(0, data.length).equals(data));
  t.is(cell.journal.size, 0);
});

test('who is about to finish the disk of a slow maker looks again when that one is undoing it, and does not answer for it', async t => {
  const {cell, images, image} = await warm();
  const other = makeWorld(cell, images, {host: 'node3', intentStale: 0});
  const [seen, removing] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const put: FakeCell['intents']['put'] = async (...args) => {
    other.limits.intentStale = 300_000;
    seen.resolve();
    await removing.promise;
    return cell.intents.put(...args);
  };
  other.cell = {...cell, copies: cell.copies, intents: {...cell.intents, put}};
  let finishing: Promise<unknown> | undefined;
  const slow = undoing(cell, images, 'state', async () => {
    finishing = kindOf(t, resolve(other, {image: image.id}));
    await seen.promise;
    once(cell, 'remove', async () => {
      removing.resolve();
      t.is(await finishing, 'unavailable');
    });
  });
  await t.throwsAsync(resolve(slow, {image: image.id, size: 2 ** 24}), {message: 'no answer'});
  t.is(await finishing, 'unavailable');
  t.false(cell.images.has('vms/disk'));
  t.is(cell.journal.size, 0);
});

test("a dead maker's whole disk that cannot be grown now keeps no other host out: any of them finishes it", async t => {
  const {cell, images, image, world, parent} = await warm();
  stand(cell, {parent});
  await cell.intents.put(disk, intent({parent}), undefined);
  once(cell, 'grow', () => {
    throw new CellarError('no-space', 'full');
  });
  t.is(await kindOf(t, resolve(world, {image: image.id, size: 2 ** 24})), 'no-space');
  t.is(cell.journal.size, 0);
  const other = makeWorld(cell, images, {host: 'node2'});
  t.is((await resolve(other, {image: image.id, size: 2 ** 24})).outcome, 'exists');
  t.is(cell.images.get('vms/disk')?.size, 2 ** 24);
});

test("a dead maker's disk that is half a disk when it cannot be grown keeps our intent", async t => {
  const {cell, image, world, parent} = await warm();
  stand(cell, {parent});
  await cell.intents.put(disk, intent({parent}), undefined);
  once(cell, 'grow', () => {
    stand(cell, {parent, registered: false});
    throw new CellarError('no-space', 'full');
  });
  t.is(await kindOf(t, resolve(world, {image: image.id, size: 2 ** 24})), 'no-space');
  t.is((await cell.intents.get(disk))?.run, world.self.run);
  t.is((await resolve(world, {image: image.id, size: 2 ** 24})).outcome, 'cloned-from-cache');
  t.is(cell.journal.size, 0);
});

for (const left of [undefined, intent()]) {
  const whose = left ? 'that a dead run left' : 'that stood';
  test(`a disk ${whose} and is taken away before it is answered for is made`, async t => {
    const {cell, data, image, world, parent} = await warm();
    stand(cell, {parent});
    if (left) await cell.intents.put(disk, {...left, parent}, undefined);
    once(cell, left ? 'intent' : 'intent-get', () => void cell.images.delete('vms/disk'), left ? 0 : 3);
    t.is((await resolve(world, {image: image.id, size: 2 ** 24})).outcome, 'cloned-from-cache');
    t.true(cell.read(disk).subarray(0, data.length).equals(data));
    t.is(cell.journal.size, 0);
  });
}

test('a disk that another host begins anew before it is answered for is not answered for', async t => {
  const {cell, image, world, parent} = await warm();
  stand(cell, {parent});
  once(cell, 'grow', async () => {
    cell.images.delete('vms/disk');
    await cell.intents.put(disk, intent({host: 'node2', parent}), undefined);
    await cell.disks.clone(parent, disk, never);
  });
  t.is(await kindOf(t, resolve(world, {image: image.id, size: 2 ** 24})), 'unavailable');
  t.true(cell.images.has('vms/disk'));
  t.is((await cell.intents.get(disk))?.host, 'node2');
});

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
