/** What is offered to somebody who clones by himself, on a cell and a Glance in memory. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import type {ImageRecord} from '../../src/core/image.ts';
import {formatLocation, parseLocation} from '../../src/core/location.ts';
import {beginOffer, type OfferOptions, offerCopy} from '../../src/core/offer.ts';
import type {World} from '../../src/core/world.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {imageBytes, makeWorld, never, types} from './world.ts';

function setUp(record: Partial<ImageRecord> = {}) {
  const cell = new FakeCell();
  const images = new FakeImages();
  const data = imageBytes();
  const image = images.add(data, record);
  return {cell, images, data, image, world: makeWorld(cell, images)};
}

const ask = (image: ImageRecord, world: World, options: Partial<OfferOptions> = {}) =>
  offerCopy(image, {}, world, {signal: never, hold: 30_000, ...options});

/** Downloads come to a stop until it is let go. */
function stalled(images: FakeImages) {
  const gate = Promise.withResolvers<void>();
  images.body = async function* (data) {
    yield data.subarray(0, 1000);
    await gate.promise;
    yield data.subarray(1000);
  };
  return {go: () => gate.resolve()};
}

/** How many have begun to wait for a fill. */
function countRuns({fills}: World): () => number {
  const run = fills.run.bind(fills);
  let count = 0;
  fills.run = (...args) => {
    count++;
    return run(...args);
  };
  return () => count;
}

async function until(condition: () => boolean): Promise<void> {
  for (let round = 0; !condition(); round++) {
    if (round > 2000) throw new Error(`never: ${condition}`);
    await sleep(5);
  }
}

test('without a copy one is made, once, and then offered: a snapshot of ours, in our cluster, with the disk in it', async t => {
  const {cell, images, data, image, world} = setUp();
  const answers = await Promise.all(Array.from({length: 20}, () => ask(image, world)));
  t.deepEqual(images.downloads, [image.id]);
  const [first] = answers;
  t.true(answers.every(answer => JSON.stringify(answer) === JSON.stringify(first)));
  const offer = first?.offer;
  t.like(offer, {fsid: cell.id, pool: 'cellar', snapshot: 'snap', raw: true});
  t.true(offer?.image.startsWith(`${image.id}.`));
  t.true(cell.read({pool: 'cellar', name: offer?.image ?? ''}).equals(data));
  t.deepEqual([...world.usage.merge(new Map()).keys()], [image.id]);
  t.deepEqual(await ask(image, world, {mayFill: false}), first);
  t.is(images.downloads.length, 1);
});

for (const [what, change, why] of [
  ['is not active', {status: 'deactivated'}, /deactivated/],
  ['is a kernel', {diskFormat: 'aki'}, /aki/],
  ['is in a container', {containerFormat: 'ovf'}, /ovf/],
  ['has no data', {size: 0}, /no data/],
  ['is an ISO', {diskFormat: 'iso'}, /CD-ROM/],
] as const) {
  test(`an image that ${what} is not looked at: no copy is made, and one that is there is not offered`, async t => {
    const {images, image, world} = setUp();
    await ask(image, world);
    images.downloads.length = 0;
    t.regex(((await ask({...image, ...change}, world)) as {why: string}).why, why);
    const fresh = setUp(change);
    t.regex(((await ask(fresh.image, fresh.world)) as {why: string}).why, why);
    t.deepEqual([...images.downloads, ...fresh.images.downloads, ...types(fresh.world)], []);
  });
}

test('an image that Nova sees in our cluster needs nothing of us; a location it is not shown is offered', async t => {
  const {cell, images, data, image, world} = setUp();
  cell.put({pool: 'images', image: image.id, snapshot: 'snap'}, data);
  const url = formatLocation({fsid: cell.id, pool: 'images', image: image.id, snapshot: 'snap'});
  image.locations.push({url, metadata: {}});
  t.regex(((await ask(image, world)) as {why: string}).why, /Nova finds it by itself/);
  const parsed = parseLocation(url);
  t.deepEqual(
    await ask(
      {...image, locations: []},
      {...world, images: {...images, locations: async () => image.locations} as never},
    ),
    {
      offer: {...(parsed.ok ? parsed.location : {}), raw: true},
    } as never,
  );
  t.deepEqual(images.downloads, []);
  t.is(cell.entries.size, 0);
});

test('an entry whose copy is gone is taken out; the image is filled again, or left alone where nothing may be filled', async t => {
  const {cell, images, image, world} = setUp();
  const first = await ask(image, world);
  cell.images.delete(`cellar/${first.offer?.image}`);
  t.like(await ask(image, world, {mayFill: false}), {why: 'the cell has no copy yet'});
  t.is(cell.entries.size, 0);
  t.true(types(world).includes('copy-retired'));
  const again = await ask(image, world);
  t.is(again.offer?.pool, 'cellar');
  t.not(again.offer?.image, first.offer?.image);
  t.is(images.downloads.length, 2);
});

test('an unprotected copy, on which Nova would fail, is not offered', async t => {
  const {cell, data, image, world} = setUp();
  const {offer} = await ask(image, world);
  cell.images.delete(`cellar/${offer?.image}`);
  cell.put({pool: 'cellar', image: offer?.image ?? '', snapshot: 'snap'}, data, false);
  t.like(await ask(image, world, {mayFill: false}), {why: 'the cell has no copy yet'});
});

test('a fill that takes longer than the hold: nothing is offered now, the fill goes on, and the next one is offered its copy', async t => {
  const {images, image, world} = setUp();
  const {go} = stalled(images);
  const held = new AbortController();
  t.regex(((await ask(image, world, {hold: 20, signal: held.signal})) as {why: string}).why, /goes on/);
  held.abort(); // it has its answer, and leaves
  const second = ask(image, world);
  go();
  t.is((await second).offer?.pool, 'cellar');
  t.is(images.downloads.length, 1);
  t.false(types(world).includes('fill-failed'));
});

test('who leaves ends the fill that only he wanted, and not one that another waits for', async t => {
  const {cell, images, image, world} = setUp();
  const {go} = stalled(images);
  const waiting = countRuns(world);
  const [one, two] = [new AbortController(), new AbortController()];
  const both = [ask(image, world, {signal: one.signal}), ask(image, world, {signal: two.signal})];
  await until(() => waiting() === 2 && images.downloads.length === 1);
  one.abort(new Error('gone'));
  t.is((await both[0])?.offer, undefined);
  t.is(world.fills.running.length, 1);
  two.abort(new Error('gone'));
  go(); // a real download ends by itself
  t.is((await both[1])?.offer, undefined);
  t.deepEqual(world.fills.running, []);
  t.is(cell.entries.size + cell.images.size + cell.held.size, 0);
  t.false(types(world).includes('offer-failed'), 'that is no failure');
});

test('whatever fails is nothing to offer, and an event', async t => {
  const {cell, images, image, world} = setUp();
  images.body = async function* () {
    yield Buffer.alloc(10);
    throw new Error('Glance broke off');
  };
  t.is((await ask(image, world)).offer, undefined);
  t.true(types(world).includes('fill-failed'));
  t.is(types(world).at(-1), 'offer-failed');
  images.body = undefined;
  const {fsid} = cell.disks;
  cell.disks.fsid = async () => {
    throw new Error('Ceph is down');
  };
  t.like(await ask(image, world), {why: 'Ceph is down'});
  t.like(world.events.at(-1), {type: 'offer-failed', image: image.id});
  cell.disks.fsid = fsid;
  t.is((await ask(image, world)).offer?.pool, 'cellar');
});

/** With a copy in the cell, and the steps that follow. */
async function withCopy() {
  const all = setUp();
  const {offer} = await ask(all.image, all.world);
  const steps: string[] = [];
  all.cell.before = step => {
    steps.push(step);
  };
  return {...all, offer, steps};
}

test('what was asked while Glance answered is not asked again', async t => {
  const {image, world, offer, steps} = await withCopy();
  const begun = beginOffer(image.id, world, never);
  await begun.copy;
  const questions = ['fsid', 'index-get', 'parent-state'];
  t.deepEqual(steps.toSorted(), questions);
  t.deepEqual(await ask(image, world, {begun}), {offer} as never);
  t.deepEqual(steps.toSorted(), questions);
});

test('what was seen too long ago, or of another image, is looked at again', async t => {
  const {cell, images, image, world, offer, steps} = await withCopy();
  const old = beginOffer(image.id, world, never);
  await old.copy;
  steps.length = 0;
  cell.images.delete(`cellar/${offer?.image}`); // by hand
  t.is((await ask(image, world, {mayFill: false, begun: {...old, since: old.since - 5000}})).offer, undefined);
  t.true(steps.includes('index-get') && steps.includes('parent-state'));
  const filled = await ask(image, world, {begun: beginOffer(images.add(imageBytes()).id, world, never)});
  t.is(filled.offer?.pool, 'cellar');
  t.true(filled.offer?.image.startsWith(image.id));
});

test('what was seen before Glance took its time over the locations is looked at again', async t => {
  const {cell, images, image, world, offer} = await withCopy();
  const begun = beginOffer(image.id, world, never);
  await begun.copy;
  const locations = images.locations.bind(images);
  images.locations = async record => {
    cell.images.delete(`cellar/${offer?.image}`); // evicted, and removed after its grace
    begun.since -= 5000;
    return locations(record);
  };
  t.not((await ask(image, world, {mayFill: false, begun})).offer?.image, offer?.image);
});

test('a copy that was seen to be gone while Glance answered is taken out, and made anew', async t => {
  const {cell, images, image, world, offer} = await withCopy();
  cell.images.delete(`cellar/${offer?.image}`);
  const again = await ask(image, world, {begun: beginOffer(image.id, world, never)});
  t.is(again.offer?.pool, 'cellar');
  t.not(again.offer?.image, offer?.image);
  t.is(images.downloads.length, 2);
});

test('an early look that fails is no offer, and nobody is surprised by it', async t => {
  const {cell, image, world} = await withCopy();
  cell.before = () => {
    throw new Error('Ceph is down');
  };
  const begun = beginOffer(image.id, world, never);
  await new Promise(resolve => setImmediate(resolve));
  t.like(await ask(image, world, {begun}), {why: 'Ceph is down'});
});

for (const hung of ['fsid', 'index-get', 'parent-state', 'locations']) {
  test(`while ${hung} hangs the asker is held for two seconds at least, and no longer than he wants to be`, async t => {
    const {cell, images, image, world} = await withCopy();
    const hang = () => new Promise<never>(() => {});
    if (hung === 'locations') images.locations = hang;
    cell.before = step => (step === hung ? hang() : undefined);
    const started = performance.now();
    const answer = await ask(image, world, {hold: 0});
    t.true(performance.now() - started > 1900); // what hangs for a moment is waited for
    t.regex((answer as {why: string}).why, /not known within 2 s/);
    t.like(world.events.at(-1), {type: 'offer-failed', error: {kind: 'timeout'}});
    const begun = beginOffer(image.id, world, never);
    t.regex(((await ask(image, world, {hold: 2500, begun})) as {why: string}).why, /not known within 3 s/);
  });
}

test('a hold of nothing fills for the next one', async t => {
  const {images, image, world} = setUp();
  t.is((await ask(image, world, {hold: 0})).offer, undefined);
  await until(() => types(world).includes('fill-published'));
  t.is((await ask(image, world, {hold: 0})).offer?.pool, 'cellar');
  t.is(images.downloads.length, 1);
});
