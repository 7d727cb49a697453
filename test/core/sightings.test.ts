/** How long something was seen: on our own clock, whatever is written in it. */
import test from 'ava';
import {Sightings} from '../../src/core/sightings.ts';
import {intent} from './facts.ts';

test('counted from the first sight of these very bytes, per key', t => {
  const seen = new Sightings();
  t.is(seen.age('a', intent(), 1000), 0);
  t.is(seen.age('b', intent(), 1500), 0);
  t.is(seen.age('a', intent(), 3000), 2000);
  t.is(seen.age('a', intent({run: 'another'}), 4000), 0);
  t.is(seen.age('a', intent({run: 'another'}), 4001), 1);
  t.is(seen.age('a', intent(), 5000), 0, 'one that comes back was not seen in between');
  t.is(seen.age('b', intent(), 5000), 3500);
});

test('what is gone is forgotten', t => {
  const seen = new Sightings();
  for (const key of ['a', 'b']) seen.age(key, intent(), 0);
  seen.keep(['b', 'c']);
  t.is(seen.age('a', intent(), 10), 0);
  t.is(seen.age('b', intent(), 10), 10);
});

test('those that are there get old however many they are', t => {
  const seen = new Sightings();
  const keys = Array.from({length: 10_001}, (_, number) => `${number}`);
  const round = (now: number) => {
    seen.keep(keys);
    return new Set(keys.map(key => seen.age(key, {}, now)));
  };
  t.deepEqual(round(0), new Set([0]));
  t.deepEqual(round(1000), new Set([1000]));
  t.deepEqual(round(3000), new Set([3000]));
});

test('of too many those that were seen first are forgotten', t => {
  const seen = new Sightings();
  for (let number = 0; number <= 10_000; number++) seen.age(`${number}`, {}, 0);
  t.is(seen.age('10000', {}, 5), 5);
  t.is(seen.age('1', {}, 5), 5);
  t.is(seen.age('0', {}, 5), 0);
});
