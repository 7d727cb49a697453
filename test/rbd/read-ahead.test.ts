import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {readAhead} from '../../src/rbd/read-ahead.ts';

const never = new AbortController().signal;
const block = 4 * 1024 * 1024;

/** An image whose blocks are read as `act` says, by their number. */
const imageOf = (blocks: number, act: (number: number) => Promise<void>) => ({
  info: async () => ({size: blocks * block, objectSize: block, order: 22, features: 0, id: 'x'}),
  read: async (offset: number, buffer: Uint8Array) => {
    await act(offset / block);
    buffer.fill(offset / block);
    return buffer.length;
  },
});

test('blocks come in order, whichever is read first, and no more than four are on their way', async t => {
  let running = 0;
  let most = 0;
  const image = imageOf(9, async number => {
    most = Math.max(most, ++running);
    await sleep(number % 2 === 0 ? 20 : 1);
    running--;
  });
  const seen: (number | undefined)[] = [];
  for await (const chunk of readAhead(image, never)) seen.push(chunk[0]);
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  t.is(most, 4);
});

test('a read that fails while an earlier one is awaited is told in its turn, and is no unhandled rejection', async t => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', note);
  const image = imageOf(4, async number => {
    if (number === 2) throw new Error('block 2 cannot be read');
    await sleep(30);
  });
  const seen: number[] = [];
  await t.throwsAsync(
    async () => {
      for await (const chunk of readAhead(image, never)) seen.push(chunk[0] ?? -1);
    },
    {message: 'block 2 cannot be read'},
  );
  await sleep(10);
  process.off('unhandledRejection', note);
  t.deepEqual(seen, [0, 1]);
  t.deepEqual(unhandled, []);
});

test('left early, it ends when nothing is read any more', async t => {
  let running = 0;
  const image = imageOf(8, async () => {
    running++;
    await sleep(20);
    running--;
  });
  for await (const _ of readAhead(image, never)) break;
  t.is(running, 0);
});
