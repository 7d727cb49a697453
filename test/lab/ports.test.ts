import {createServer} from 'node:net';
import test from 'ava';
import {reservePorts, slotSize} from './ports.ts';

test('two reservations at the same moment do not overlap', async t => {
  const slots = await Promise.all(Array.from({length: 8}, () => reservePorts({preferred: 28_000})));
  t.teardown(() => Promise.all(slots.map(slot => slot.release())));
  t.is(new Set(slots.map(slot => slot.first)).size, 8);
  for (const slot of slots) t.is(slot.first % slotSize, 0);
});

test('a slot with a taken port is passed over, and refused when asked for by number', async t => {
  const free = await reservePorts({preferred: 29_000});
  await free.release();
  const taken = createServer();
  await new Promise<void>(resolve => taken.listen(free.first + 37, '127.0.0.1', resolve));
  t.teardown(() => taken.close());

  const other = await reservePorts({preferred: free.first});
  t.not(other.first, free.first);
  await other.release();
  await t.throwsAsync(reservePorts({port: free.first}), {message: /ports \d+-\d+ are not all free on 127\.0\.0\.1/});
});

test('a released slot can be had again', async t => {
  const first = await reservePorts({preferred: 30_000});
  await first.release();
  const again = await reservePorts({port: first.first});
  t.is(again.first, first.first);
  await again.release();
});
