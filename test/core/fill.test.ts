/** Fills that fail: nothing is published, and nothing is left. */
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {CellarError, type ErrorKind} from '../../src/core/errors.ts';
import {copyName} from '../../src/core/fill.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {entry} from './facts.ts';
import {imageBytes, makeWorld, resolve, types} from './world.ts';

function setUp(record = {}) {
  const cell = new FakeCell();
  const images = new FakeImages();
  const data = imageBytes();
  const image = images.add(data, record);
  return {cell, images, data, image, world: makeWorld(cell, images)};
}

const kindOf = async (t: ExecutionContext, promise: Promise<unknown>) =>
  (await t.throwsAsync(promise, {instanceOf: CellarError}))?.kind;

function nothingIsLeft(t: ExecutionContext, cell: FakeCell) {
  t.deepEqual([...cell.images.keys()], []);
  t.deepEqual([cell.entries.size, cell.claims.size, cell.held.size, cell.journal.size], [0, 0, 0, 0]);
}

const wrong: [string, (data: Buffer) => Buffer][] = [
  ['one byte differs', data => Buffer.concat([Buffer.from([(data[0] ?? 0) ^ 1]), data.subarray(1)])],
  ['the last byte is missing', data => data.subarray(0, -1)],
  ['there is a byte too many', data => Buffer.concat([data, Buffer.alloc(1)])],
  ['there are none', () => Buffer.alloc(0)],
];
for (const [what, change] of wrong) {
  test(`bytes of which ${what} are never published; the right ones then are`, async t => {
    const {cell, images, data, image, world} = setUp();
    images.body = async function* (right) {
      yield change(right);
    };
    t.is(await kindOf(t, resolve(world, {image: image.id})), 'corrupt');
    nothingIsLeft(t, cell);
    images.body = undefined;
    await resolve(world, {image: image.id});
    t.true(cell.read({pool: 'vms', name: 'disk'}).equals(data));
  });
}

for (const step of ['claim', 'create', 'write', 'seal', 'publish'] as const) {
  test(`when ${step} fails, the error comes out and nothing is left`, async t => {
    const {cell, image, world} = setUp();
    cell.before = at => {
      if (at === step) throw new CellarError('no-space', 'the pool is full');
    };
    t.is(await kindOf(t, resolve(world, {image: image.id})), 'no-space');
    nothingIsLeft(t, cell);
  });
}

test('when the copy cannot be created, the download that was begun is ended', async t => {
  const {cell, images, image, world} = setUp();
  let signal: AbortSignal | undefined;
  const download = images.download.bind(images);
  images.download = (record, requester, given) => {
    signal = given;
    return download(record, requester, given);
  };
  cell.before = at => {
    if (at === 'create') throw new CellarError('no-space', 'the pool is full');
  };
  await kindOf(t, resolve(world, {image: image.id}));
  t.true(signal?.aborted);
});

test('a commit that was applied but not answered keeps the copy that the index names', async t => {
  const {cell, images, data, image, world} = setUp();
  const publish = cell.index.publish;
  cell.index.publish = async (...args) => {
    await publish(...args);
    cell.index.publish = publish;
    throw new CellarError('timeout', 'no answer from osd.0');
  };
  t.is(await kindOf(t, resolve(world, {image: image.id})), 'timeout');
  t.is(cell.entries.size, 1);
  t.is((await resolve(world, {image: image.id})).outcome, 'cloned-from-cache');
  t.is(images.downloads.length, 1);
  t.true(cell.read({pool: 'vms', name: 'disk'}).equals(data));
});

test('a commit that is applied after it was given up publishes nothing', async t => {
  const {cell, image, world} = setUp();
  const publish = cell.index.publish;
  let late: (() => Promise<boolean>) | undefined;
  cell.index.publish = async (...args) => {
    late = () => publish(...args);
    throw new CellarError('timeout', 'no answer from osd.0');
  };
  await kindOf(t, resolve(world, {image: image.id}));
  t.false(await late?.());
  nothingIsLeft(t, cell);
});

/** What the agent does to a copy that it gave up: removing it would fence off whoever else has it open. */
const removals = (cell: FakeCell) => {
  const removed: string[] = [];
  const {before} = cell;
  cell.before = (step, name) => {
    if (step === 'remove-copy') removed.push(name);
    return before(step, name);
  };
  return removed;
};

test('when the lease is lost in mid-fill, nothing is published, and the copy is left to who has the lease next', async t => {
  const {cell, data, image, world} = setUp();
  cell.before = step => {
    if (step === 'write') cell.lose();
  };
  const removed = removals(cell);
  t.is(await kindOf(t, resolve(world, {image: image.id})), 'unavailable');
  t.deepEqual([cell.entries.size, cell.claims.size, cell.images.size, removed.length], [0, 0, 1, 0]);
  cell.before = () => {};
  await resolve(world, {image: image.id});
  t.true(cell.read({pool: 'vms', name: 'disk'}).equals(data));
  t.is([...cell.images.keys()].filter(name => name.startsWith('cellar/')).length, 1);
});

test('a failed fill that loses its lease while it removes its copy leaves that to who has the lease next', async t => {
  const {cell, image, world} = setUp();
  const ended = Promise.withResolvers<boolean>();
  const remove = async (name: string, signal: AbortSignal) => {
    cell.lose();
    ended.resolve(signal.aborted);
    signal.throwIfAborted();
    await cell.copies.remove(name);
  };
  const {copies} = cell;
  world.cell = {...cell, copies: {...copies, remove}};
  cell.before = step => {
    if (step === 'seal') throw new CellarError('no-space', 'full');
  };
  t.is(await kindOf(t, resolve(world, {image: image.id})), 'no-space');
  t.true(await ended.promise);
  t.is(cell.images.size, 1);
  t.true(types(world).includes('copy-kept'));
});

test('a fill whose claim was replaced publishes nothing, and leaves the claim of the other, and the copies', async t => {
  const {cell, image, world} = setUp();
  cell.before = step => {
    if (step === 'seal') cell.claims.set(image.id, 'of somebody else');
  };
  const removed = removals(cell);
  t.is(await kindOf(t, resolve(world, {image: image.id})), 'unavailable');
  t.is(cell.claims.get(image.id), 'of somebody else');
  t.deepEqual([cell.entries.size, cell.images.size, removed.length], [0, 1, 0]);
});

test('a filler that was taken for dead and publishes just before our claim keeps its copy, and we use it', async t => {
  const {cell, images, data, image, world} = setUp();
  const generation = 'aaaaaaaaaaaaaaaa';
  const rbdImage = copyName(image.id, generation);
  const source = {diskFormat: 'raw', size: data.length, digests: {sha512: image.osHashValue ?? ''}, verified: true};
  cell.put({pool: 'cellar', image: rbdImage, snapshot: 'snap'}, data);
  cell.claims.set(image.id, generation);
  cell.before = async step => {
    if (step !== 'claim') return;
    cell.before = () => {};
    t.true(
      await cell.index.publish(entry({image: image.id, generation, rbdImage, size: data.length, source}), undefined),
    );
  };
  const {outcome, parent} = await resolve(world, {image: image.id});
  t.is(outcome, 'cloned-from-cache');
  t.is(parent.image, rbdImage);
  t.is(images.downloads.length + cell.claims.size, 0);
});

test('a generation that a dead filler left is removed by the next fill, and strangers in the pool are not', async t => {
  const {cell, image, world} = setUp();
  const left = copyName(image.id, 'aaaaaaaaaaaaaaaa');
  const others = [
    copyName('99999999-2222-3333-4444-555555555555', 'aaaaaaaaaaaaaaaa'),
    `${image.id}.backup`,
    image.id,
    'golden',
  ];
  for (const name of [left, ...others]) cell.put({pool: 'cellar', image: name, snapshot: 'snap'}, Buffer.alloc(1));
  await resolve(world, {image: image.id});
  t.false(cell.images.has(`cellar/${left}`));
  for (const name of others) t.true(cell.images.has(`cellar/${name}`));
});

test('a fill that takes too long ends, says so, and leaves nothing', async t => {
  const cell = new FakeCell();
  const images = new FakeImages();
  const image = images.add(imageBytes());
  cell.before = step => (step === 'write' ? sleep(80) : undefined);
  t.is(await kindOf(t, resolve(makeWorld(cell, images, {fillTimeout: 40}), {image: image.id})), 'timeout');
  nothingIsLeft(t, cell);
});

test('when the only one who waits leaves, the fill ends and nothing is left by the time that is answered', async t => {
  const {cell, image, world} = setUp();
  const leaver = new AbortController();
  cell.before = async step => {
    if (step === 'write') leaver.abort(new CellarError('cancelled', 'the caller went away'));
    if (step === 'remove-copy') await sleep(20);
  };
  t.is(await kindOf(t, resolve(world, {image: image.id}, {signal: leaver.signal})), 'cancelled');
  nothingIsLeft(t, cell);
  t.deepEqual(types(world).slice(-2), ['fill-failed', 'copy-removed']);
});

/** Of our own identity's questions the first ones fail so. */
function failing(images: FakeImages, kinds: ErrorKind[]) {
  const get = images.get.bind(images);
  images.get = async (id, requester) => {
    const kind = requester.token === undefined ? kinds.shift() : undefined;
    if (kind !== undefined) throw new CellarError(kind, `Glance said ${kind}`);
    return get(id, requester);
  };
}

for (const [kinds, readable] of [
  [['unavailable'], true],
  [['timeout'], true],
  [['not-found'], false],
  [['forbidden'], false],
  [['unauthorized'], false],
  [['unavailable', 'not-found'], false],
  [['timeout', 'unavailable'], false],
] as [ErrorKind[], boolean][]) {
  test(`whether the image is ours to see, asked with ${kinds.join(', then ')}: ${readable}`, async t => {
    const {cell, images, image, world} = setUp();
    failing(images, kinds);
    const {outcome} = await resolve(world, {image: image.id, requester: {token: 'theirs'}});
    t.is(outcome, 'filled');
    t.is((await cell.index.get(image.id))?.ownReadable, readable);
    t.deepEqual(kinds, []);
  });
}

test('a copy that cannot be removed is told, and the error of the fill comes out all the same', async t => {
  const {cell, image, world} = setUp();
  cell.before = step => {
    if (step === 'seal') throw new CellarError('no-space', 'the pool is full');
    if (step === 'remove-copy') throw new CellarError('timeout', 'no answer');
  };
  t.is(await kindOf(t, resolve(world, {image: image.id})), 'no-space');
  t.deepEqual(types(world).slice(-2), ['fill-failed', 'copy-kept']);
  t.is(cell.held.size + cell.claims.size + cell.entries.size, 0);
});
