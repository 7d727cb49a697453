import {getEventListeners} from 'node:events';
import {setImmediate as turn} from 'node:timers/promises';
import test from 'ava';
import {abortable, Turns} from '../../src/core/single-flight.ts';

const never = new AbortController().signal;

function workers(turns: Turns) {
  const log: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const take = (who: string, {key = 'disk', signal = never} = {}) => {
    const end = Promise.withResolvers<void>();
    ends.set(who, end);
    return turns.take(key, signal, async () => {
      log.push(`${who} begins`);
      await end.promise;
      log.push(`${who} ends`);
      return who;
    });
  };
  return {log, take, end: (who: string) => ends.get(who)?.resolve()};
}

test('turns are taken one at a time in order of arrival, whoever fails', async t => {
  const turns = new Turns();
  const order: string[] = [];
  const work = (who: string) => async () => {
    order.push(`${who} begins`);
    await turn();
    order.push(`${who} ends`);
    if (who === 'a') throw new Error('a fails');
  };
  const [a, ...rest] = ['a', 'b', 'c'].map(who => turns.take('disk', never, work(who)));
  await t.throwsAsync(a as Promise<void>, {message: 'a fails'});
  await Promise.all(rest);
  t.deepEqual(order, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test('a turn is taken from the first to the last who wants it, also when one gave up', async t => {
  const turns = new Turns();
  const {take, end} = workers(turns);
  t.false(turns.isTaken('disk'));
  const impatient = new AbortController();
  const [a, b] = [take('a'), take('b', {signal: impatient.signal})];
  impatient.abort(new Error('enough'));
  await t.throwsAsync(b, {message: 'enough'});
  t.true(turns.isTaken('disk'));
  t.false(turns.isTaken('other'));
  end('a');
  await a;
  await turn();
  t.false(turns.isTaken('disk'));
});

test('other keys do not wait', async t => {
  const {log, take, end} = workers(new Turns());
  const both = [take('a'), take('b', {key: 'other'})];
  await turn();
  t.deepEqual(log, ['a begins', 'b begins']);
  for (const who of ['a', 'b']) end(who);
  await Promise.all(both);
});

test('who gives up waiting leaves at once, and the one behind still waits for the one before', async t => {
  const {log, take, end} = workers(new Turns());
  const a = take('a');
  const impatient = new AbortController();
  const b = take('b', {signal: impatient.signal});
  const c = take('c');
  await turn();
  impatient.abort(new Error('enough'));
  await t.throwsAsync(b, {message: 'enough'});
  const d = take('d');
  await turn();
  t.deepEqual(log, ['a begins']);
  for (const who of ['a', 'c', 'd']) end(who);
  await Promise.all([a, c, d]);
  t.deepEqual(log, ['a begins', 'a ends', 'c begins', 'c ends', 'd begins', 'd ends']);
});

test('who comes after the last one in the line gave up does not overtake the one at work', async t => {
  const {log, take, end} = workers(new Turns());
  const a = take('a');
  const impatient = new AbortController();
  const b = take('b', {signal: impatient.signal});
  await turn();
  impatient.abort(new Error('enough'));
  await t.throwsAsync(b, {message: 'enough'});
  const c = take('c');
  await turn();
  t.deepEqual(log, ['a begins']);
  end('a');
  end('c');
  await Promise.all([a, c]);
  t.deepEqual(log, ['a begins', 'a ends', 'c begins', 'c ends']);
});

test('an abortable wait ends with the promise or the abort, whichever is first, and leaves no listener', async t => {
  const signal = new AbortController();
  t.is(await abortable(Promise.resolve('value'), signal.signal), 'value');
  t.is(getEventListeners(signal.signal, 'abort').length, 0);
  const waits = abortable(new Promise(() => {}), signal.signal);
  signal.abort(new Error('enough'));
  await t.throwsAsync(waits, {message: 'enough'});
  await t.throwsAsync(abortable(Promise.resolve('late'), signal.signal), {message: 'enough'});
});
