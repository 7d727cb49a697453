import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {LoopDelay} from '../../src/daemon/loop-delay.ts';

const block = (ms: number) => {
  for (const end = performance.now() + ms; performance.now() < end; );
};

test('a loop that is held up is told by how long, in milliseconds', async t => {
  using delay = new LoopDelay();
  await sleep(50); // the first look
  const calm = delay.worst.maxMs;
  block(400);
  await sleep(50);
  const {p99Ms, maxMs} = delay.worst;
  t.true(maxMs >= 380 && maxMs > calm, `${calm} ${maxMs}`);
  t.true(p99Ms > 0 && p99Ms <= maxMs * 1.01);
});
