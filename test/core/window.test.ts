import {setImmediate as turn} from 'node:timers/promises';
import test from 'ava';
import {Window} from '../../src/core/window.ts';

/** Operations that end when they are told to. */
function operations() {
  const ends: PromiseWithResolvers<void>[] = [];
  const start = () => {
    const end = Promise.withResolvers<void>();
    ends.push(end);
    return end.promise;
  };
  return {ends, start};
}

test('no more than the limit run, and the next one starts when one ends', async t => {
  const {ends, start} = operations();
  const window = new Window(2);
  await window.add(start);
  await window.add(start);
  const third = window.add(start);
  await turn();
  t.is(ends.length, 2);
  ends[1]?.resolve();
  await third;
  t.is(ends.length, 3);
});

test('drain waits for all of them, also for those that outlive a failure', async t => {
  const {ends, start} = operations();
  const window = new Window(3);
  for (let count = 0; count < 3; count++) await window.add(start);
  let drained = false;
  const drain = window.drain().catch((error: Error) => {
    drained = true;
    return error.message;
  });
  ends[1]?.reject(new Error('first'));
  ends[0]?.reject(new Error('second'));
  await turn();
  t.false(drained);
  ends[2]?.resolve();
  t.is(await drain, 'first');
});

test('after a failure nothing is started any more: add throws it', async t => {
  const {ends, start} = operations();
  const window = new Window(1);
  await window.add(start);
  ends[0]?.reject(new Error('disk full'));
  await t.throwsAsync(window.add(start), {message: 'disk full'});
  t.is(ends.length, 1);
});

test('an empty window is drained at once', async t => {
  await t.notThrowsAsync(new Window(1).drain());
});
