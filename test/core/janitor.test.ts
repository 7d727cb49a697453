/** The rounds of the janitor: what they take away, who does them, and how they end. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {copyName, fillLease} from '../../src/core/fill.ts';
import {keepSweeping, sweep} from '../../src/core/janitor.ts';
import {retire} from '../../src/core/retire.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {cachedCell} from './cached.ts';
import {intent} from './facts.ts';
import {makeWorld, never, types} from './world.ts';

const generation = 'aaaaaaaaaaaaaaaa';
const dead = '99999999-2222-3333-4444-555555555555';

/** There is room for one copy, and who is gone is known to be. */
const tight = () => ({cache: {maxBytes: 1024 * 1024, maxFill: 0, maxIdle: 0}, intentStale: 0});

/** A cell with something of everything to take away, beside a copy that is in use. */
async function littered() {
  const {cell, images, world, entries} = await cachedCell(3, tight());
  const [deleted, over, kept] = entries;
  if (!deleted || !over || !kept) throw new Error('they were not cached');
  images.records.delete(deleted.image);
  for (const name of ['vms/d0', 'vms/d1']) cell.images.delete(name);
  cell.put({pool: 'cellar', image: copyName(dead, generation), snapshot: 'snap'}, Buffer.alloc(1));
  cell.claims.set(dead, generation);
  cell.abandoned.add(fillLease(deleted.image));
  cell.torn.add('vms/torn');
  await cell.intents.put({pool: 'vms', name: 'torn'}, intent({host: 'a host long gone'}), undefined);
  return {cell, images, world, kept};
}

const left = (cell: FakeCell) => ({
  images: [...cell.images.keys()].sort(),
  entries: [...cell.entries.keys()],
  rest: [cell.claims, cell.abandoned, cell.held, cell.torn, cell.journal, cell.retiredCopies].map(({size}) => size),
  usage: [...cell.lastUse.keys()],
});

test('one round takes away all that nobody needs, and leaves what is in use', async t => {
  const {cell, world, kept} = await littered();
  t.true(await sweep(world, never));
  t.deepEqual(left(cell), {
    images: [`cellar/${kept.rbdImage}`, 'vms/d2'],
    entries: [kept.image],
    rest: [0, 0, 0, 0, 0, 0],
    usage: [kept.image],
  });
  t.false(types(world).includes('janitor-failed'));
});

test('killed before any step of a round, the next round ends where that one would have', async t => {
  const {cell: counted, world} = await littered();
  let steps = 0;
  counted.before = () => void steps++;
  await sweep(world, never);
  t.true(steps > 20, String(steps));
  for (let kill = 0; kill < steps; kill++) {
    const {cell, images, kept} = await littered();
    let at = 0;
    cell.before = () => {
      if (at++ >= kill) throw new Error('killed');
    };
    await sweep(makeWorld(cell, images, tight()), never);
    cell.before = () => {};
    for (const name of cell.held.keys()) cell.abandoned.add(name); // the leases of the dead have ended
    cell.held.clear();
    await sweep(makeWorld(cell, images, tight()), never);
    const {rest, images: there} = left(cell);
    t.deepEqual(
      [rest, there],
      [
        [0, 0, 0, 0, 0, 0],
        [`cellar/${kept.rbdImage}`, 'vms/d2'],
      ],
      `step ${kill}`,
    );
  }
});

test('a step that fails is told and does not keep the others', async t => {
  const {cell, images, world} = await littered();
  images.get = async () => {
    throw new CellarError('unavailable', 'Glance is down');
  };
  world.limits.cache.maxBytes = 0;
  for (const id of [1, 2, 3]) await cell.index.pin(`pin-${id}`);
  await sweep(world, never);
  t.deepEqual(
    world.events.flatMap(event => (event.type === 'janitor-failed' ? [event.step] : [])),
    ['deleted images'],
  );
  t.is(cell.claims.size + cell.torn.size + cell.abandoned.size, 0);
});

test('a cluster that is down is told, and the round ends', async t => {
  const {cell, world} = await littered();
  cell.before = () => {
    throw new CellarError('timeout', 'no answer');
  };
  t.false(await sweep(world, never));
  t.deepEqual(world.events, [
    {type: 'janitor-failed', step: 'electing', error: (world.events[0] as {error: Error}).error},
  ]);
});

test("a lease that is held is left alone, one that a dead holder left goes, and a fill's own is not taken from it", async t => {
  const {cell, world} = await cachedCell(0);
  cell.abandoned.add('cellar.fill.dead');
  cell.abandoned.add('cellar.other');
  const running = await cell.leases.acquire('cellar.fill.running');
  await sweep(world, never);
  t.deepEqual([...cell.abandoned], ['cellar.other']);
  t.deepEqual([...cell.held.keys()], ['cellar.fill.running']);
  await running?.release();
});

test('of many agents one is the janitor, until it stops; then another is', async t => {
  const cell = new FakeCell();
  const rounds: string[] = [];
  const start = (host: string) => {
    const world = makeWorld(cell, new FakeImages(), {host, janitorInterval: 10});
    const list = async () => {
      rounds.push(host);
      return [];
    };
    world.cell = {...cell, copies: {...cell.copies, list}};
    const stop = new AbortController();
    return {stop, done: keepSweeping(world, stop.signal)};
  };
  const agents = ['a', 'b', 'c'].map(start);
  const some = async () => {
    rounds.length = 0;
    while (rounds.length < 5) await sleep(5);
  };
  await some();
  const [first] = rounds;
  t.deepEqual(new Set(rounds), new Set([first]));
  const janitor = agents[['a', 'b', 'c'].indexOf(first ?? '')];
  janitor?.stop.abort();
  await janitor?.done;
  await some();
  t.is(new Set(rounds).size, 1);
  t.not(rounds[0], first);
  for (const {stop} of agents) stop.abort();
  await Promise.all(agents.map(({done}) => done));
  t.is(cell.held.size, 0);
});

for (const kept of [false, true]) {
  test(`a janitor that loses its lease stops in mid-round${kept ? ', and is elected again' : ''}`, async t => {
    const {cell, world, entries} = await cachedCell(2, {janitorInterval: 5});
    for (const entry of entries) await retire(entry, 'a test', world, never, {reason: 'by-hand'});
    for (const name of ['vms/d0', 'vms/d1']) cell.images.delete(name);
    const removed: string[] = [];
    let seen = 0;
    cell.before = (step, name) => {
      if (step === 'acquire' && name === 'cellar.janitor') seen = removed.length;
      if (step !== 'remove-copy') return;
      removed.push(name);
      if (removed.length === 1) {
        cell.lose();
        cell.held.clear();
      }
    };
    if (!kept) {
      await sweep(world, never);
      return t.is(removed.length, 1);
    }
    const stop = new AbortController();
    const done = keepSweeping(world, stop.signal);
    while (cell.retiredCopies.size > 0) await sleep(5);
    stop.abort();
    await done;
    t.is(seen, 1, 'it was elected between the two removals');
  });
}

test('every agent writes down its own uses, janitor or not', async t => {
  const {
    cell,
    world,
    entries: [copy],
  } = await cachedCell(1, {janitorInterval: 5});
  cell.held.set('cellar.janitor', 'another agent');
  const at = Date.now() + 1000;
  world.usage.touch(copy?.image ?? '', at);
  const stop = new AbortController();
  const done = keepSweeping(world, stop.signal);
  await sleep(40);
  stop.abort();
  await done;
  t.is(cell.lastUse.get(copy?.image ?? ''), at);
});

test('uses that could not be written are kept for the next time, and a newer one is not lost', async t => {
  const {cell, world} = await cachedCell(0);
  world.usage.touch('a', 1);
  cell.before = step => {
    if (step === 'touch') throw new CellarError('timeout', 'no answer');
  };
  await t.throwsAsync(world.usage.flush(cell.usage, never));
  cell.before = step => {
    if (step === 'touch') world.usage.touch('a', 2);
  };
  await world.usage.flush(cell.usage, never);
  t.is(cell.lastUse.get('a'), 1);
  await world.usage.flush(cell.usage, never);
  t.is(cell.lastUse.get('a'), 2);
});

for (const when of ['waiting for its round', 'in a round']) {
  test(`told to stop while ${when}, the janitor stops at once, says nothing, and gives its lease back`, async t => {
    const {cell, world} = await littered();
    world.limits.janitorInterval = when === 'in a round' ? 5 : 60_000;
    const stop = new AbortController();
    cell.before = step => {
      if (step === 'remove-copy') stop.abort();
    };
    const done = keepSweeping(world, stop.signal);
    if (when !== 'in a round') stop.abort();
    const started = performance.now();
    await done;
    t.true(performance.now() - started < 20_000);
    t.is(cell.held.size, 0);
    t.false(types(world).includes('janitor-failed'));
    if (when === 'in a round') t.true(cell.entries.size === 3, 'no step was begun after it');
  });
}
