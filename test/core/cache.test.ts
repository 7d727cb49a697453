/** What an operator does with the cache: prefetch, pin, evict, verify, list. */
import test from 'ava';
import * as cache from '../../src/core/cache.ts';
import {CellarError} from '../../src/core/errors.ts';
import {removeRetired} from '../../src/core/retire.ts';
import {cachedCell, isThere, MiB} from './cached.ts';
import {never, resolve, types} from './world.ts';

const kindOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    error => (error as CellarError).kind,
  );

test('a prefetch fills once; the next finds the copy, and so does a disk', async t => {
  const {cell, images, world} = await cachedCell(0);
  const {id} = images.add(Buffer.alloc(MiB, 1));
  const told: number[] = [];
  const first = await cache.prefetch(id, {}, world, {signal: never, onProgress: ({received}) => told.push(received)});
  t.deepEqual(first, {image: id, outcome: 'filled', size: MiB, glanceBytes: MiB});
  t.is(told.at(-1), MiB);
  t.like(await cache.prefetch(id, {}, world, {signal: never}), {outcome: 'exists', glanceBytes: 0});
  t.is((await resolve(world, {image: id})).outcome, 'cloned-from-cache');
  t.deepEqual(images.downloads, [id]);
  t.not((await cache.showCopy(id, world, never)).lastUse, null);
  t.is(cell.lastUse.size, 0);
});

test('two prefetches at once share one download, and one of them took the bytes', async t => {
  const {images, world} = await cachedCell(0);
  const {id} = images.add(Buffer.alloc(MiB, 1));
  const both = await Promise.all([1, 2].map(() => cache.prefetch(id, {}, world, {signal: never})));
  t.deepEqual(both.map(({glanceBytes}) => glanceBytes).sort(), [0, MiB]);
  t.is(images.downloads.length, 1);
});

test('who may not read the image, or asks for one that can never be a disk, prefetches nothing', async t => {
  const {images, world} = await cachedCell(0);
  const secret = images.add(Buffer.alloc(MiB, 1), {readers: new Set(['theirs'])});
  const queued = images.add(Buffer.alloc(MiB, 1), {status: 'queued'});
  t.is(await kindOf(cache.prefetch(secret.id, {token: 'mine'}, world, {signal: never})), 'not-found');
  t.is(await kindOf(cache.prefetch(queued.id, {}, world, {signal: never})), 'unacceptable');
  t.deepEqual(images.downloads, []);
});

test('a prefetch goes on when its caller leaves, and ends when the agent stops', async t => {
  const {cell, images, world} = await cachedCell(0);
  const {id} = images.add(Buffer.alloc(MiB, 1));
  const caller = new AbortController();
  cell.before = step => {
    if (step === 'write') caller.abort(new CellarError('cancelled', 'the caller went away'));
  };
  t.is(await kindOf(cache.prefetch(id, {}, world, {signal: caller.signal})), 'cancelled');
  await world.fills.idle();
  t.true(cell.entries.has(id));

  const second = images.add(Buffer.alloc(MiB, 2));
  cell.before = step => {
    if (step === 'write') world.fills.abandon(new CellarError('cancelled', 'the agent is stopping'));
  };
  t.is(await kindOf(cache.prefetch(second.id, {}, world, {signal: never})), 'cancelled');
  await world.fills.idle();
  t.false(cell.entries.has(second.id));
  t.is(cell.held.size, 0);
});

test('evicted by hand the copy is cloned no more, its disks live, and the next disk fills again', async t => {
  const {
    cell,
    images,
    world,
    entries: [old],
  } = await cachedCell(1);
  if (old === undefined) return t.fail();
  t.deepEqual(await cache.evict(old.image, world, never), {image: old.image, evicted: true});
  t.deepEqual(await cache.evict(old.image, world, never), {image: old.image, evicted: false});
  const next = await resolve(world, {image: old.image, name: 'next'});
  t.is(next.outcome, 'filled');
  t.not(next.parent.image, old.rbdImage);
  t.is(images.downloads.length, 2);
  t.is(await removeRetired(world, never), 0);
  t.true(cell.read({pool: 'vms', name: 'd0'}).equals(Buffer.alloc(MiB, 1)));
  cell.images.delete('vms/d0');
  t.is(await removeRetired(world, never), 1);
  t.false(isThere(cell, old));
  t.true(cell.read({pool: 'vms', name: 'next'}).equals(Buffer.alloc(MiB, 1)));
});

test('a pinned copy is not evicted by hand; the pin needs no copy and outlives the one it is for', async t => {
  const {
    cell,
    images,
    world,
    entries: [copy],
  } = await cachedCell(1);
  if (copy === undefined) return t.fail();
  t.deepEqual(await cache.setPin(copy.image, true, world, never), {image: copy.image, pinned: true, cached: true});
  const refused = await t.throwsAsync(cache.evict(copy.image, world, never), {instanceOf: CellarError});
  t.is(refused?.kind, 'conflict');
  t.is(refused?.hint, `cellar image unpin ${copy.image}`);
  cell.entries.delete(copy.image);
  t.is((await resolve(world, {image: copy.image, name: 'again'})).outcome, 'filled');
  t.is(await kindOf(cache.evict(copy.image, world, never)), 'conflict');
  t.deepEqual(await cache.setPin(copy.image, false, world, never), {image: copy.image, pinned: false, cached: true});
  t.true((await cache.evict(copy.image, world, never)).evicted);
  const {id} = images.add(Buffer.alloc(MiB, 9));
  t.deepEqual(await cache.setPin(id, true, world, never), {image: id, pinned: true, cached: false});
});

test('an intact copy is told so, and stays', async t => {
  const {
    cell,
    world,
    entries: [copy],
  } = await cachedCell(1);
  if (copy === undefined) return t.fail();
  const told: number[] = [];
  const verified = await cache.verify(copy.image, world, {
    signal: never,
    onProgress: ({received}) => told.push(received),
  });
  t.deepEqual(verified, {image: copy.image, rbdImage: copy.rbdImage, size: MiB, intact: true});
  t.is(told.at(-1), MiB);
  t.true(cell.entries.has(copy.image));
});

test('a copy whose digest is of a form of the future is not read, and stays', async t => {
  const {
    cell,
    world,
    entries: [copy],
  } = await cachedCell(1);
  if (copy === undefined) return t.fail();
  cell.entries.set(copy.image, JSON.stringify({...copy, rawDigest: `blake3-8MiB:${copy.rawDigest}`}));
  t.is(await kindOf(cache.verify(copy.image, world, {signal: never})), 'internal');
  t.true(cell.entries.has(copy.image));
});

for (const [what, damage] of [
  ['one byte differs', (data: Buffer) => data.fill(0xff, 777, 778)],
  ['the end is missing', (data: Buffer) => data.subarray(0, -1)],
] as const) {
  test(`a copy of which ${what} is quarantined: it stays, and the next disk gets a new one`, async t => {
    const {
      cell,
      world,
      entries: [copy],
    } = await cachedCell(1);
    if (copy === undefined) return t.fail();
    const snapshots = cell.images.get(`cellar/${copy.rbdImage}`)?.snapshots;
    snapshots?.set('snap', {protected: true, data: damage(Buffer.alloc(MiB, 1))});
    t.false((await cache.verify(copy.image, world, {signal: never})).intact);
    t.like((await cache.listCopies(world, never)).retired, [{rbdImage: copy.rbdImage, quarantined: true}]);
    t.is((await resolve(world, {image: copy.image, name: 'next'})).outcome, 'filled');
    t.true(cell.read({pool: 'vms', name: 'next'}).equals(Buffer.alloc(MiB, 1)));
    cell.images.delete('vms/d0');
    t.is(await removeRetired(world, never), 0);
    t.true(isThere(cell, copy));
    t.true((await cache.evict(copy.image, world, never)).evicted);
    cell.images.delete('vms/next');
    t.is(await removeRetired(world, never), 2);
    t.false(isThere(cell, copy));
  });
}

test('a copy that is evicted while it is read is not called wrong', async t => {
  const {
    cell,
    world,
    entries: [copy],
  } = await cachedCell(1);
  if (copy === undefined) return t.fail();
  const data = cell.images.get(`cellar/${copy.rbdImage}`)?.snapshots.get('snap')?.data;
  cell.before = async step => {
    if (step !== 'read') return;
    cell.before = () => {};
    await cache.evict(copy.image, world, never);
    data?.fill(0); // as the removed objects read
  };
  t.is(await kindOf(cache.verify(copy.image, world, {signal: never})), 'conflict');
  t.false((await cache.listCopies(world, never)).retired.some(({quarantined}) => quarantined));
});

test('verifying ends when the caller leaves, and quarantines nothing', async t => {
  const {
    cell,
    world,
    entries: [copy],
  } = await cachedCell(1);
  const caller = new AbortController();
  cell.before = step => {
    if (step === 'read') caller.abort(new CellarError('cancelled', 'the caller went away'));
  };
  t.is(await kindOf(cache.verify(copy?.image ?? '', world, {signal: caller.signal})), 'cancelled');
  t.is(cell.entries.size, 1);
  t.deepEqual(types(world), []);
});

test('what there is no copy of is not found', async t => {
  const {world} = await cachedCell(0);
  for (const act of [cache.verify('x', world, {signal: never}), cache.showCopy('x', world, never)])
    t.is(await kindOf(act), 'not-found');
});

test('the list has uses, pins and what is on its way out', async t => {
  const {
    world,
    entries: [first, second],
  } = await cachedCell(2);
  if (!first || !second) return t.fail();
  await cache.setPin(first.image, true, world, never);
  await cache.evict(second.image, world, never);
  const at = Date.parse('2026-01-01T00:00:00.000Z') + 1e10;
  world.usage.touch(first.image, Date.now() + 5000);
  const {copies, retired, pins} = await cache.listCopies(world, never);
  t.like(copies, [{image: first.image, pinned: true}]);
  t.is(copies.length, 1);
  t.true(Date.parse(copies[0]?.lastUse ?? '') > at);
  t.like(retired, [{image: second.image, quarantined: false, stored: MiB}]);
  t.deepEqual(pins, [first.image]);
});
