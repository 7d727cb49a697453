/** What another version, or a hand, left in the agent's own objects: it is said, not guessed at, and harms nobody else. */
import {randomUUID} from 'node:crypto';
import test from 'ava';
import * as cache from '../../src/core/cache.ts';
import {CellarError} from '../../src/core/errors.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, never, someBytes, someEntry, someIntent, someRetired} from '../suites/subject.ts';
import {realCell} from './real-cell.ts';

const subject = realCell(test);

async function write(object: string, key: string, value: string) {
  const {admin, pools} = await subject();
  const pool = await admin(pools.cache);
  await pool.omapCompareAndSet(object, {set: {[key]: Buffer.from(value)}});
  await pool.close();
}

for (const [what, value] of [
  ['newer', '{"schema":2}'],
  ['damaged', 'x'],
  ['null', 'null'],
] as const) {
  test(`a ${what} intent is refused for its own disk, and the others are listed all the same`, async t => {
    const {cell, pools} = await subject();
    const [bad, good] = [freshName('bad'), freshName('good')].map(name => ({pool: pools.disks, name}));
    if (!bad || !good) return t.fail();
    await write('cellar.disks', `${bad.pool}/${bad.name}`, value);
    await cell.intents.put(good, someIntent(), undefined, never);
    const error = await t.throwsAsync(cell.intents.get(bad, never), {instanceOf: CellarError});
    t.is(error?.kind, 'internal');
    t.regex(error?.message ?? '', new RegExp(bad.name));
    const names = (await cell.intents.list(never)).map(({disk}) => disk.name);
    t.true(names.includes(good.name));
    t.false(names.includes(bad.name));
  });

  test(`a ${what} index entry is refused, and no disk is made on a guess; other images are served`, async t => {
    const {cell, pools} = await subject();
    const images = new FakeImages();
    const [bad, good] = [images.add(someBytes()), images.add(someBytes())];
    await write('cellar.index', bad.id, value);
    const world = makeWorld(cell, images);
    const ask = (image: string) => resolve(world, {image, pool: pools.disks, name: `disk-${image}`});
    t.is((await t.throwsAsync(ask(bad.id), {instanceOf: CellarError}))?.kind, 'internal');
    t.deepEqual(images.downloads, []);
    t.is((await ask(good.id)).outcome, 'filled');
  });
}

test('what is written down of a retired copy and cannot be read keeps the copy, until it is evicted by hand', async t => {
  const {cell, other} = await subject();
  const {image, rbdImage} = someEntry();
  await write('cellar.index', `${rbdImage}.retired`, '{"schema":2}');
  const find = async () => (await other.index.retired(never)).find(one => one.image === image);
  t.like(await find(), {rbdImage, quarantined: true});
  t.true((await cache.evict(image, makeWorld(cell, new FakeImages()), never)).evicted);
  t.like(await find(), {rbdImage, quarantined: false});
});

test('a damaged entry does not keep the others from being listed', async t => {
  const {cell} = await subject();
  const [bad, good] = [randomUUID(), someEntry()];
  await write('cellar.index', bad, 'x');
  await cell.index.claim(good.image, good.generation, never);
  await cell.index.publish(good, undefined, never);
  const listed = (await cell.index.list(never)).map(({image}) => image);
  t.true(listed.includes(good.image));
  t.false(listed.includes(bad));
});

test('an entry that another agent wrote with other spacing is replaced and removed as it stands', async t => {
  const {cell} = await subject();
  const first = someEntry({image: randomUUID()});
  await write('cellar.index', first.image, JSON.stringify(first, undefined, 2));
  const second = someEntry({image: first.image});
  await cell.index.claim(first.image, second.generation, never);
  const read = await cell.index.get(first.image, never);
  t.deepEqual(read, first);
  t.true(await cell.index.publish(second, read, never));
  t.true(await cell.index.retire(second, someRetired(second), never));
});

test('more entries than one answer holds are all listed', async t => {
  const {cell, admin, pools} = await subject();
  const pool = await admin(pools.cache);
  const image = randomUUID();
  const set = Object.fromEntries(
    Array.from({length: 2500}, (_, number) => [`vms/many-${number}`, Buffer.from(JSON.stringify(someIntent({image})))]),
  );
  await pool.omapCompareAndSet('cellar.disks', {set});
  await pool.close();
  t.is((await cell.intents.list(never)).filter(({intent}) => intent.image === image).length, 2500);
});
