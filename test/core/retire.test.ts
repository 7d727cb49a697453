/** Copies leave the index by a limit or because Glance has deleted the image, and the pool when nobody needs them. */
import test from 'ava';
import {retireDeleted} from '../../src/core/deleted.ts';
import {CellarError} from '../../src/core/errors.ts';
import {knownCopies, makeRoom, removeRetired, retire} from '../../src/core/retire.ts';
import {cachedCell, cachedIn, isThere, MiB} from './cached.ts';
import {makeWorld, never, resolve, types} from './world.ts';

const limits = {maxBytes: 0, maxFill: 0, maxIdle: 0};

test('over max_size the least recently used copies go, and their disks keep their bytes', async t => {
  const {cell, world, entries} = await cachedCell(3, {cache: {...limits, maxBytes: MiB}});
  t.is(await makeRoom(0, world, never), 2);
  t.deepEqual(cachedIn(cell), [entries[2]?.image]);
  t.deepEqual(types(world), ['copy-retired', 'copy-retired']);
  t.true(entries.every(entry => isThere(cell, entry)));
  for (const number of [0, 1, 2])
    t.true(cell.read({pool: 'vms', name: `d${number}`}).equals(Buffer.alloc(MiB, number + 1)));
});

test('uses that are not written down yet count too', async t => {
  const {cell, world, entries} = await cachedCell(3, {cache: {...limits, maxBytes: MiB}});
  world.usage.touch(entries[0]?.image ?? '');
  await makeRoom(0, world, never);
  t.deepEqual(cachedIn(cell), [entries[0]?.image]);
});

test('over max_fill copies go until the pool is within its bound; what is retired already counts as gone', async t => {
  const {cell, world, entries} = await cachedCell(3, {cache: {...limits, maxFill: 0.5}});
  cell.room = {used: 6 * MiB, available: 4 * MiB};
  t.is(await makeRoom(0, world, never), 1);
  t.is(await makeRoom(0, world, never), 0);
  t.deepEqual(
    cachedIn(cell),
    entries.slice(1).map(({image}) => image),
  );
});

test('quarantined bytes stay, so they are no room to come', async t => {
  const {
    cell,
    world,
    entries: [first],
  } = await cachedCell(2, {cache: {...limits, maxFill: 0.5}});
  if (first === undefined) return t.fail();
  await retire(first, 'wrong', world, never, {reason: 'damaged', quarantined: true});
  cell.room = {used: 6 * MiB, available: 4 * MiB};
  t.is(await makeRoom(0, world, never), 1);
});

test('a cluster that does not tell how full it is evicts nothing for that', async t => {
  const {cell, world} = await cachedCell(2, {cache: {...limits, maxFill: 0.01}});
  t.is(await makeRoom(0, world, never), 0);
  t.is(cell.entries.size, 2);
});

test('a copy that is pinned while the victims are chosen stays', async t => {
  const {
    cell,
    world,
    entries: [first],
  } = await cachedCell(2, {cache: {...limits, maxBytes: MiB}});
  cell.before = step => {
    if (step === 'retire') cell.pinned.add(first?.image ?? '');
  };
  t.is(await makeRoom(0, world, never), 0);
  t.is(cell.entries.size, 2);
});

test('a fill makes room for itself first; when that cannot be done it goes on', async t => {
  const {cell, images, world, entries} = await cachedCell(2, {cache: {...limits, maxBytes: 3 * MiB}});
  await resolve(world, {image: images.add(Buffer.alloc(2 * MiB, 7)).id, name: 'large'});
  t.deepEqual(types(world).slice(0, 3), ['fill-started', 'copy-retired', 'fill-published']);
  t.false(cell.entries.has(entries[0]?.image ?? ''));
  t.true(cell.entries.has(entries[1]?.image ?? ''));
  cell.before = step => {
    if (step === 'survey') throw new CellarError('timeout', 'no answer');
  };
  t.is((await resolve(world, {image: images.add(Buffer.alloc(MiB, 8)).id, name: 'next'})).outcome, 'filled');
  t.true(types(world).includes('janitor-failed'));
});

test('a retired copy goes when its grace is over and its last clone is gone, not sooner', async t => {
  const {
    cell,
    world,
    entries: [copy],
  } = await cachedCell(1, {evictGrace: 60_000});
  if (copy === undefined) return t.fail();
  await retire(copy, 'a test', world, never, {reason: 'by-hand'});
  const retired = JSON.parse(cell.retiredCopies.get(copy.rbdImage) ?? '');
  const since = '2001-01-01T00:00:00.000Z'; // by a clock that is years behind
  cell.retiredCopies.set(copy.rbdImage, JSON.stringify({...retired, since}));
  cell.images.delete('vms/d0');
  t.is(await removeRetired(world, never), 0);
  t.true(isThere(cell, copy));
  const late = makeWorld(cell, world.images, {evictGrace: 0});
  await cell.disks.clone({pool: 'cellar', image: copy.rbdImage, snapshot: 'snap'}, {pool: 'vms', name: 'begun'}, never);
  t.is(await removeRetired(late, never), 0);
  t.true(isThere(cell, copy));
  t.deepEqual(types(late), [], 'that it has clones is no failure');
  cell.images.delete('vms/begun');
  t.is(await removeRetired(late, never), 1);
  t.false(isThere(cell, copy));
  t.is(cell.retiredCopies.size, 0);
});

test('a quarantined copy stays for ever; one that is gone already is struck off', async t => {
  const {cell, world, entries} = await cachedCell(2);
  const [bad, gone] = entries;
  if (bad === undefined || gone === undefined) return t.fail();
  await retire(bad, 'wrong', world, never, {reason: 'damaged', quarantined: true});
  await retire(gone, 'a test', world, never, {reason: 'by-hand'});
  for (const name of ['vms/d0', 'vms/d1', `cellar/${gone.rbdImage}`]) cell.images.delete(name);
  t.is(await removeRetired(world, never), 1);
  t.true(isThere(cell, bad));
  t.deepEqual([...cell.retiredCopies.keys()], [bad.rbdImage]);
});

test('a retired copy that cannot be looked at or removed does not keep the others, and stays written down', async t => {
  const {cell, world, entries} = await cachedCell(3);
  for (const [number, entry] of entries.entries()) {
    await retire(entry, 'a test', world, never, {reason: 'by-hand'});
    cell.images.delete(`vms/d${number}`);
  }
  cell.before = (step, name) => {
    if (step === 'has-clones' && name === entries[0]?.rbdImage) throw new CellarError('timeout', 'no answer');
    if (step === 'remove-copy' && name === entries[1]?.rbdImage) throw new CellarError('conflict', 'it has clones');
  };
  t.is(await removeRetired(world, never), 1);
  t.deepEqual(
    [...cell.retiredCopies.keys()],
    entries.slice(0, 2).map(({rbdImage}) => rbdImage),
  );
});

test('a copy that is retired between the two reads that look for it is known all the same', async t => {
  const {
    cell,
    world,
    entries: [copy],
  } = await cachedCell(1);
  if (copy === undefined) return t.fail();
  let reads = 0;
  cell.before = async step => {
    if ((step === 'index-get' || step === 'retired') && ++reads === 2)
      await retire(copy, 'meanwhile', world, never, {reason: 'by-hand'});
  };
  t.true((await knownCopies(copy.image, world, never)).has(copy.rbdImage));
  t.is(cell.entries.size, 0);
});

test('a copy of an image that Glance has deleted is retired, pinned or not; of the others only those that went', async t => {
  const {cell, images, world, entries} = await cachedCell(4);
  const [kept, gone, pinned, deleting] = entries;
  if (!kept || !gone || !pinned || !deleting) return t.fail();
  for (const {image} of [gone, pinned]) images.records.delete(image);
  const record = images.records.get(deleting.image);
  if (record !== undefined) record.status = 'pending_delete';
  cell.pinned.add(pinned.image);
  t.is(await retireDeleted(world, never), 3);
  t.deepEqual(cachedIn(cell), [kept.image]);
});

test('a 404 for an image that our own identity could never see proves nothing', async t => {
  const {cell, images, world} = await cachedCell(0);
  const image = images.add(Buffer.alloc(MiB, 1), {readers: new Set(['theirs'])});
  await resolve(world, {image: image.id, requester: {token: 'theirs'}});
  t.false((await cell.index.get(image.id))?.ownReadable);
  t.is(await retireDeleted(world, never), 0);
  t.true(cell.entries.has(image.id));
});

test('an image that we could see when it was cached, by the token of another, is ours to miss', async t => {
  const {cell, images, world} = await cachedCell(0);
  const image = images.add(Buffer.alloc(MiB, 1));
  await resolve(world, {image: image.id, requester: {token: 'theirs'}});
  t.true((await cell.index.get(image.id))?.ownReadable);
  images.records.delete(image.id);
  t.is(await retireDeleted(world, never), 1);
});

test('who says 404 to every image and lists none is not Glance: nothing is retired, and that is said', async t => {
  const {cell, images, world} = await cachedCell(3);
  images.records.clear();
  let asked = 0;
  images.listable = async () => ++asked > 1;
  const error = await t.throwsAsync(retireDeleted(world, never), {instanceOf: CellarError});
  t.regex(error?.message ?? '', /does not list any images either/);
  t.is(cell.entries.size, 3);
  t.is(await retireDeleted(world, never), 3);
  t.is(asked, 2);
});

test('a Glance that is down retires nothing, and is not asked for ever', async t => {
  const {cell, images, world, entries} = await cachedCell(5);
  const asked: string[] = [];
  images.get = async id => {
    asked.push(id);
    if (asked.length === 1) throw new CellarError('forbidden', 'not that one');
    throw new CellarError('unavailable', 'Glance is down');
  };
  t.is((await t.throwsAsync(retireDeleted(world, never), {instanceOf: CellarError}))?.kind, 'unavailable');
  t.deepEqual(
    asked,
    entries.slice(0, 4).map(({image}) => image),
  );
  t.is(cell.entries.size, 5);
});

test('before a fill the index is listed once, whatever is kept in it', async t => {
  const {cell, images, world} = await cachedCell(2, {cache: {...limits, maxBytes: 3 * MiB}});
  const listings: string[] = [];
  cell.before = step => {
    if (['survey', 'index-list', 'pins', 'retired'].includes(step)) listings.push(step);
  };
  await resolve(world, {image: images.add(Buffer.alloc(2 * MiB, 7)).id, name: 'large'});
  t.deepEqual(listings, ['survey']);
});

test('an image that is converted makes room for its disk, where that is known; another for its file', async t => {
  for (const [diskFormat, virtualSize, left] of [
    ['qcow2', 2 * MiB, 1],
    ['qcow2', undefined, 2],
    ['raw', 2 * MiB, 2],
  ] as const) {
    const {cell, images, world} = await cachedCell(2, {cache: {...limits, maxBytes: 3 * MiB}});
    const {id} = images.add(Buffer.alloc(MiB, 7), {diskFormat, virtualSize});
    await resolve(world, {image: id, name: 'new'}).catch(() => {}); // what is in it does not matter here
    const old = cachedIn(cell).filter(image => image !== id);
    t.is(old.length, left, `${diskFormat} ${virtualSize}`);
  }
});
