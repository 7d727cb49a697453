/** Which copies have to go: the table of the rule, with nothing around it. */
import test from 'ava';
import {type CacheFacts, chooseVictims, mayLeave, parseRetired, type Retired} from '../../src/core/evict.ts';
import {entry} from './facts.ts';

const now = Date.parse('2026-06-01T00:00:00.000Z');
const minute = 60_000;
const none = {maxBytes: 0, maxFill: 0, maxIdle: 0};

/** Copies of 10 bytes each, made a day ago; `used` minutes ago where it is said. */
function cache(
  used: Record<string, number | undefined>,
  {pinned = [], ...changes}: Partial<Omit<CacheFacts, 'pinned'>> & {pinned?: string[]} = {},
): CacheFacts {
  const entries = Object.keys(used).map(image =>
    entry({image, stored: 10, created: new Date(now - 1440 * minute).toISOString()}),
  );
  const lastUse = new Map(
    Object.entries(used).flatMap(([image, ago]) => (ago === undefined ? [] : [[image, now - ago * minute]])),
  );
  return {
    entries,
    lastUse,
    pinned: new Set(pinned),
    room: undefined,
    wanted: 0,
    leaving: 0,
    limits: none,
    now,
    ...changes,
  };
}

const three = {a: 30, b: 20, c: 10};
const half = {used: 50, available: 50};

const rows: [string, CacheFacts, string][] = [
  ['without bounds nothing goes', cache(three), ''],
  ['an empty cache has nothing to give', cache({}, {limits: {...none, maxBytes: 1}}), ''],
  ['at the bound nothing goes', cache(three, {limits: {...none, maxBytes: 30}}), ''],
  ['a byte over it the least recently used goes', cache(three, {limits: {...none, maxBytes: 29}}), 'a'],
  ['as many as it takes', cache(three, {limits: {...none, maxBytes: 10}}), 'a b'],
  ['what is to come counts', cache(three, {limits: {...none, maxBytes: 30}, wanted: 11}), 'a b'],
  ['what can never fit does not', cache(three, {limits: {...none, maxBytes: 30}, wanted: 31}), ''],
  ['a pinned copy stays and counts', cache(three, {limits: {...none, maxBytes: 10}, pinned: ['a']}), 'b c'],
  ['where all are pinned nothing goes', cache(three, {limits: {...none, maxBytes: 1}, pinned: ['a', 'b', 'c']}), ''],
  [
    'a copy never used counts from when it was made',
    cache({a: 30, b: undefined, c: 10}, {limits: {...none, maxBytes: 20}}),
    'b',
  ],
  ['the pool within its bound', cache(three, {limits: {...none, maxFill: 0.5}, room: half}), ''],
  ['the pool over its bound', cache(three, {limits: {...none, maxFill: 0.4}, room: half}), 'a'],
  ['the pool with what is to come', cache(three, {limits: {...none, maxFill: 0.5}, room: half, wanted: 15}), 'a b'],
  [
    'what is on its way out is not evicted again',
    cache(three, {limits: {...none, maxFill: 0.4}, room: half, leaving: 10}),
    '',
  ],
  ['a pool of which nothing is known has no bound', cache(three, {limits: {...none, maxFill: 0.1}}), ''],
  ['a full pool', cache(three, {limits: {...none, maxFill: 0.8}, room: {used: 100, available: 0}}), 'a b'],
  ['the tighter of two bounds', cache(three, {limits: {...none, maxFill: 0.45, maxBytes: 10}, room: half}), 'a b'],
  [
    'what was not used for long goes, whatever there is room for',
    cache(three, {limits: {...none, maxIdle: 15 * minute}}),
    'a b',
  ],
  ['to the minute is not too long', cache(three, {limits: {...none, maxIdle: 20 * minute}}), 'a'],
  ['a pinned copy is never too old', cache(three, {limits: {...none, maxIdle: 15 * minute}, pinned: ['a']}), 'b'],
  ['what goes for its age makes room', cache(three, {limits: {...none, maxIdle: 25 * minute, maxBytes: 20}}), 'a'],
  ['age and size together', cache(three, {limits: {...none, maxIdle: 25 * minute, maxBytes: 10}}), 'a b'],
  ['a use that a faster clock wrote is a use', cache({...three, a: -60}, {limits: {...none, maxBytes: 20}}), 'b'],
];
for (const [what, facts, victims] of rows) {
  test(what, t => {
    t.is(
      chooseVictims(facts)
        .map(({entry: {image}}) => image)
        .join(' '),
      victims,
    );
  });
}

test('each victim says why', t => {
  const why = (facts: CacheFacts) => chooseVictims(facts)[0]?.why;
  t.is(why(cache({a: 300}, {limits: {...none, maxIdle: 1}})), 'it was not used for 5 hours');
  t.is(why(cache({a: 90}, {limits: {...none, maxIdle: 1}})), 'it was not used for 90 minutes');
  t.regex(why(cache(three, {limits: {...none, maxBytes: 1}})) ?? '', /^the copies are more than max_size/);
  t.regex(why(cache(three, {limits: {...none, maxFill: 0.1}, room: half})) ?? '', /^the pool is fuller than max_fill/);
});

const retired = (changes: Partial<Retired> = {}): Retired => ({
  schema: 1,
  image: 'i',
  rbdImage: 'i.0',
  stored: 1,
  since: new Date(now).toISOString(),
  why: 'a test',
  quarantined: false,
  ...changes,
});

test('a retired copy may leave when its grace is over; a quarantined one never by itself', t => {
  t.false(mayLeave(retired(), 999, 1000));
  t.true(mayLeave(retired(), 1000, 1000));
  t.false(mayLeave(retired({quarantined: true}), 1e9, 0));
});

test('what is written down of a retired copy is read back; what cannot be read keeps the copy', t => {
  const good = {...retired(), added: true};
  t.deepEqual(parseRetired('i.0', JSON.stringify(good)), good);
  for (const bad of [
    '',
    'x',
    'null',
    '[]',
    JSON.stringify({...good, schema: 2}),
    JSON.stringify({...good, since: 'soon'}),
    JSON.stringify({...good, stored: -0.5}),
    JSON.stringify({...good, quarantined: 'no'}),
    JSON.stringify({...good, rbdImage: 'another'}),
  ])
    t.like(parseRetired('i.0', bad), {image: 'i', rbdImage: 'i.0', quarantined: true}, bad);
});
