import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {Paced} from '../../src/core/paced.ts';

test('the first is passed on at once, then the newest of a while, and nothing twice', async t => {
  const passed: number[] = [];
  using paced = new Paced(value => passed.push(value));
  for (const value of [1, 2, 3]) paced.push(value);
  t.deepEqual(passed, [1]);
  while (passed.length < 2) await sleep(5);
  t.deepEqual(passed, [1, 3]);
  await sleep(250);
  t.deepEqual(passed, [1, 3]);
  paced.push(4);
  t.deepEqual(passed, [1, 3, 4]);
});

test('a report that throws ends neither the work nor the reports', async t => {
  const passed: number[] = [];
  using paced = new Paced(value => {
    passed.push(value);
    throw new Error('a bug');
  });
  for (const value of [1, 2]) paced.push(value);
  while (passed.length < 2) await sleep(5);
  paced.push(3);
  paced.flush();
  t.deepEqual(passed, [1, 2, 3]);
});

test('what is left is passed on in the end, when that is asked for', async t => {
  const passed: number[] = [];
  const paced = new Paced(value => passed.push(value));
  for (const value of [1, 2]) paced.push(value);
  paced.flush();
  paced.flush();
  t.deepEqual(passed, [1, 2]);
  const left: number[] = [];
  const disposed = new Paced(value => left.push(value));
  for (const value of [1, 2]) disposed.push(value);
  disposed[Symbol.dispose]();
  await sleep(250);
  t.deepEqual([passed, left], [[1, 2], [1]]);
});
