import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {copyName, fillLease} from '../../src/core/fill.ts';
import {recover} from '../../src/core/recover.ts';
import {retire} from '../../src/core/retire.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {entry, intent, parent} from './facts.ts';
import {imageBytes, makeWorld, never, resolve, types} from './world.ts';

const disk = {pool: 'vms', name: 'disk'};
const generation = 'aaaaaaaaaaaaaaaa';

async function warm() {
  const cell = new FakeCell();
  const images = new FakeImages();
  const image = images.add(imageBytes());
  const world = makeWorld(cell, images);
  const {parent: copy} = await resolve(world, {image: image.id, name: 'warm'});
  world.events.length = 0;
  return {cell, images, image, world, copy};
}

test('the copy that the index names stays, with its lease left alone; other generations of it go', async t => {
  const {cell, image, world, copy} = await warm();
  cell.put({pool: 'cellar', image: copyName(image.id, generation), snapshot: 'snap'}, Buffer.alloc(1));
  t.deepEqual(await recover(world, never), {copies: 1, disks: 0});
  t.deepEqual([...cell.images.keys()].sort(), [`cellar/${copy.image}`, 'vms/warm']);
  const leases: string[] = [];
  cell.before = (step, name) => {
    if (step === 'acquire') leases.push(name);
  };
  t.deepEqual(await recover(world, never), {copies: 0, disks: 0});
  t.deepEqual(leases, []);
});

test('a generation of an image that is being filled stays', async t => {
  const {cell, world} = await warm();
  const id = '99999999-2222-3333-4444-555555555555';
  cell.put({pool: 'cellar', image: copyName(id, generation), snapshot: 'snap'}, Buffer.alloc(1));
  cell.claims.set(id, generation);
  const lease = await cell.leases.acquire(fillLease(id));
  t.is((await recover(world, never)).copies, 0);
  t.is(cell.claims.size, 1);
  await lease?.release();
  t.is((await recover(world, never)).copies, 1);
  t.is(cell.claims.size + cell.held.size, 0);
});

test('what is retired or quarantined is not for recovery to remove, nor what is retired while it looks', async t => {
  const {cell, image, world} = await warm();
  const quarantined = copyName('99999999-2222-3333-4444-555555555555', generation);
  cell.put({pool: 'cellar', image: quarantined, snapshot: 'snap'}, Buffer.alloc(1));
  const retired = {schema: 1, image: '', rbdImage: quarantined, stored: 1, since: '2026-01-01T00:00:00.000Z', why: ''};
  cell.retiredCopies.set(quarantined, JSON.stringify({...retired, quarantined: true}));
  const copy = await cell.index.get(image.id);
  if (copy === undefined) return t.fail();
  cell.before = async step => {
    if (step !== 'survey') return;
    cell.before = () => {};
    t.true(await retire(copy, 'it was evicted meanwhile', world, never, {reason: 'by-hand'}));
  };
  t.deepEqual(await recover(world, never), {copies: 0, disks: 0});
  t.deepEqual(await recover(world, never), {copies: 0, disks: 0});
  t.true(cell.images.has(`cellar/${copy.rbdImage}`) && cell.images.has(`cellar/${quarantined}`));
});

test('a filler that publishes while its copy is looked at keeps it, or does not publish', async t => {
  const {cell, world} = await warm();
  const id = '99999999-2222-3333-4444-555555555555';
  const late = entry({image: id, generation, rbdImage: copyName(id, generation)});
  cell.before = step => {
    if (step !== 'list-copies') return;
    cell.put({pool: 'cellar', image: late.rbdImage, snapshot: 'snap'}, Buffer.alloc(1));
    cell.claims.set(id, generation); // made and claimed after the claims were listed; its lease was lost since
  };
  await recover(world, never);
  const published = await cell.index.publish(late, undefined);
  t.is(cell.images.has(`cellar/${late.rbdImage}`), published);
  t.false(published);
});

test("images of others in the cache pool are none of cellar's business", async t => {
  const {cell, image, world} = await warm();
  const names = [
    'golden',
    image.id,
    `${image.id}.backup`,
    `${image.id}.${generation}.old`,
    `x${copyName(image.id, generation)}`,
  ];
  for (const name of names) cell.put({pool: 'cellar', image: name, snapshot: 'snap'}, Buffer.alloc(1));
  t.is((await recover(world, never)).copies, 0);
  for (const name of names) t.true(cell.images.has(`cellar/${name}`));
});

test('the claim of a filler that died before it made anything is dropped', async t => {
  const {cell, world} = await warm();
  cell.claims.set('99999999-2222-3333-4444-555555555555', generation);
  await recover(world, never);
  t.is(cell.claims.size, 0);
});

test('a copy that cannot be judged or removed does not keep the others, and is told', async t => {
  const {cell, world} = await warm();
  const [bad, kept, good] = ['7', '8', '9'].map(digit => `${digit.repeat(8)}-2222-3333-4444-555555555555`);
  for (const id of [bad, kept, good])
    cell.put({pool: 'cellar', image: copyName(id ?? '', generation), snapshot: 'snap'}, Buffer.alloc(1));
  cell.before = (step, name) => {
    if (step === 'index-get' && name === bad) throw new CellarError('internal', 'the entry is damaged');
    if (step === 'remove-copy' && name.startsWith(kept ?? '')) throw new CellarError('conflict', 'it has clones');
  };
  t.deepEqual(await recover(world, never), {copies: 1, disks: 0});
  t.deepEqual(types(world), ['copy-kept', 'copy-kept', 'copy-removed']);
  t.is(cell.held.size, 0);
});

const states: [string, (cell: FakeCell) => void, boolean, boolean][] = [
  // what, how it came to be, is it there afterwards, is the intent there afterwards
  ['nothing', () => {}, false, false],
  ['half a disk', cell => cell.torn.add('vms/disk'), false, false],
  ['an empty image without a parent', cell => stand(cell, {}), false, false],
  ['a clone that is not listed', cell => stand(cell, {parent, registered: false}), false, false],
  ['a whole clone', cell => stand(cell, {parent}), true, false],
  ['a flat image with data', cell => stand(cell, {own: true}), true, true],
  ['a clone of another image', cell => stand(cell, {parent: {...parent, image: 'other'}}), true, true],
];
for (const [what, make, stays, intentStays] of states) {
  test(`an earlier run of this host left ${what}: the disk ${stays ? 'stays' : 'goes'}, its intent ${intentStays ? 'stays' : 'goes'}`, async t => {
    const {cell, world} = await warm();
    make(cell);
    await cell.intents.put(disk, intent(), undefined);
    t.is((await recover(world, never)).disks, intentStays ? 0 : 1);
    t.is(cell.images.has('vms/disk') || cell.torn.has('vms/disk'), stays);
    t.is(cell.journal.size === 1, intentStays);
  });
}

test('what another host is making is left to it, until it is taken for dead', async t => {
  const {cell, world} = await warm();
  cell.torn.add('vms/disk');
  const theirs = intent({host: 'node2', since: '2001-01-01T00:00:00.000Z'}); // by a clock that is years behind
  await cell.intents.put(disk, theirs, undefined);
  for (let round = 0; round < 2; round++) t.is((await recover(world, never)).disks, 0);
  t.true(cell.torn.has('vms/disk'));
  world.limits.intentStale = 0;
  t.is((await recover(world, never)).disks, 1);
  t.is(cell.torn.size + cell.journal.size, 0);
});

test('whose clock is far ahead is taken for dead like any other', async t => {
  const {cell, world} = await warm();
  cell.torn.add('vms/disk');
  await cell.intents.put(disk, intent({host: 'node2', since: '2999-01-01T00:00:00.000Z'}), undefined);
  world.limits.intentStale = 20;
  for (let rounds = 0; (await recover(world, never)).disks === 0; rounds++) {
    t.true(rounds < 1000);
    await sleep(5);
  }
  t.is(cell.torn.size + cell.journal.size, 0);
});

test('what stood in a pool that is not there any more is gone: so is its intent', async t => {
  const {cell, world} = await warm();
  await cell.intents.put({pool: 'removed', name: 'disk'}, intent(), undefined);
  t.is((await recover(world, never)).disks, 1);
  t.is(cell.journal.size, 0);
  t.deepEqual(types(world), []);
});

test('a disk that a request of this agent is at work on is left to it, however long that takes', async t => {
  const {cell, world} = await warm();
  cell.torn.add('vms/disk');
  await cell.intents.put(disk, intent(), undefined);
  const request = Promise.withResolvers<void>();
  const turn = world.turns.take('vms/disk', never, () => request.promise);
  t.is((await recover(world, never)).disks, 0);
  t.true(cell.torn.has('vms/disk'));
  request.resolve();
  await turn;
  t.is((await recover(world, never)).disks, 1);
});

test('a clean-up that failed is tried again by the agent that failed, once its intent is stale', async t => {
  const {cell, world} = await warm();
  world.limits.intentStale = 20;
  cell.torn.add('vms/disk');
  await cell.intents.put(disk, intent(), undefined);
  cell.before = step => {
    if (step === 'remove') throw new CellarError('timeout', 'no answer');
  };
  t.is((await recover(world, never)).disks, 0);
  t.deepEqual(types(world), ['disk-kept']);
  t.is((await cell.intents.get(disk))?.run, world.self.run);
  cell.before = () => {};
  for (let rounds = 0; (await recover(world, never)).disks === 0; rounds++) {
    t.true(rounds < 1000);
    await sleep(5);
  }
  t.is(cell.torn.size + cell.journal.size, 0);
});

test('a recovery whose lease was lost leaves the claim of the next filler, and its copy, alone', async t => {
  const {cell, world} = await warm();
  const id = '99999999-2222-3333-4444-555555555555';
  cell.put({pool: 'cellar', image: copyName(id, generation), snapshot: 'snap'}, Buffer.alloc(1));
  cell.claims.set(id, generation);
  cell.index.claims = async () => {
    cell.claims.set(id, 'of the next filler');
    cell.lose();
    return [{image: id, generation: 'of the next filler'}];
  };
  const unclaim = cell.index.unclaim;
  cell.index.unclaim = async (image, claimed, signal = never) => {
    signal.throwIfAborted();
    return unclaim(image, claimed);
  };
  t.is((await recover(world, never)).copies, 0);
  t.is(cell.claims.get(id), 'of the next filler');
  t.true(cell.images.has(`cellar/${copyName(id, generation)}`));
});

test('a dead host left a disk that holds data of its own: it stays, and so does its intent', async t => {
  const {cell, world} = await warm();
  world.limits.intentStale = 0;
  stand(cell, {own: true});
  await cell.intents.put(disk, intent({host: 'node2'}), undefined);
  t.is((await recover(world, never)).disks, 0);
  t.true(cell.images.has('vms/disk'));
  t.is(cell.journal.size, 1);
});

test('a maker that was slow and not dead finishes while its disk is judged: the disk stays, and it is not told to be ready', async t => {
  const {cell, images, image} = await warm();
  const slow = makeWorld(cell, images, {host: 'node2'});
  const swept = makeWorld(cell, images, {intentStale: 0});
  let recovered: Promise<unknown> | undefined;
  cell.before = async (step, name) => {
    if (step !== 'grow' || name !== 'disk') return;
    stand(cell, {}); // as one sees it between two steps of a clone
    const whole = cell.images.get('vms/warm');
    cell.before = at => {
      if (at === 'intent' && whole !== undefined) queueMicrotask(() => cell.images.set('vms/disk', {...whole}));
    };
    recovered = recover(swept, never);
    await recovered;
  };
  const made = resolve(slow, {image: image.id, size: 64 * 1024 * 1024});
  t.is((await t.throwsAsync(made, {instanceOf: CellarError}))?.kind, 'unavailable');
  t.deepEqual(await recovered, {copies: 0, disks: 1});
  t.true(cell.images.has('vms/disk'));
  t.is(cell.journal.size, 0);
});

test('what this run is making is left to it', async t => {
  const {cell, world} = await warm();
  cell.torn.add('vms/disk');
  await cell.intents.put(disk, intent({run: world.self.run}), undefined);
  t.is((await recover(world, never)).disks, 0);
  t.true(cell.torn.has('vms/disk'));
});

test('recovery beside a request for the same disk removes nothing that the request made', async t => {
  const {cell, image, world} = await warm();
  cell.torn.add('vms/disk');
  await cell.intents.put(disk, intent(), undefined);
  let requested: Promise<unknown> | undefined;
  cell.before = async step => {
    if (step !== 'remove' || requested) return;
    requested = resolve(world, {image: image.id}); // waits for its turn
    await new Promise(done => setTimeout(done, 20));
  };
  await recover(world, never);
  await requested;
  t.true(cell.images.has('vms/disk'));
  t.is(cell.journal.size, 0);
});

test('recovery of a disk that another process of this host takes over meanwhile removes nothing', async t => {
  const {cell, images, image, world} = await warm();
  cell.torn.add('vms/disk');
  await cell.intents.put(disk, intent(), undefined);
  cell.before = async step => {
    if (step !== 'intent') return;
    cell.before = () => {};
    await resolve(makeWorld(cell, images), {image: image.id});
  };
  t.is((await recover(world, never)).disks, 0);
  t.true(cell.images.has('vms/disk'));
});

test('recovery never fails, also when the cluster is down', async t => {
  const {cell, world} = await warm();
  cell.before = () => {
    throw new CellarError('timeout', 'no answer');
  };
  t.deepEqual(await recover(world, never), {copies: 0, disks: 0});
});

function stand(cell: FakeCell, changes: Partial<{parent: typeof parent; registered: boolean; own: boolean}>) {
  cell.images.set('vms/disk', {
    data: Buffer.alloc(1),
    size: 1,
    own: false,
    registered: true,
    snapshots: new Map(),
    ...changes,
  });
}

test('a removal that an earlier run of this host broke off is finished; one without an intent is not ours', async t => {
  const {cell, world, copy} = await warm();
  const left = {pool: 'vms', name: 'left'};
  const strange = {pool: 'vms', name: 'strange'};
  for (const one of [left, strange]) cell.trashed.add(`${one.pool}/${one.name}`);
  await cell.intents.put(left, intent({host: world.self.host, run: 'an earlier one', parent: copy}), undefined);
  t.deepEqual(await recover(world, never), {copies: 0, disks: 1});
  t.deepEqual([...cell.trashed], ['vms/strange']);
  t.is(cell.journal.size, 0);
  t.deepEqual(types(world), ['disk-repaired']);
});

test('a disk that is made under the name of a broken-off removal meanwhile stays', async t => {
  const {cell, world, copy} = await warm();
  cell.trashed.add('vms/disk');
  await cell.intents.put(disk, intent({host: world.self.host, run: 'an earlier one', parent: copy}), undefined);
  cell.before = async step => {
    if (step !== 'intent') return; // the intent is taken over: somebody else, who is no agent, makes it now
    cell.before = () => {};
    await cell.disks.clone(copy, disk, never);
  };
  await recover(world, never);
  t.is((await cell.disks.state(disk)).kind, 'image');
  t.true(cell.trashed.has('vms/disk'));
});
