import test from 'ava';
import {endedWell, fixture, runFixture} from './helpers.ts';

const lab = fixture(test);

for (const [end, rounds, name] of [
  ['natural', 5, 'workers that end by themselves, again and again'],
  ['terminate', 10, 'workers that are terminated while they write, again and again'],
  ['exit', 1, 'process.exit() while workers write'],
] as const) {
  test.serial(`${name}, end well`, async t => {
    endedWell(t, await runFixture('workers', [lab.ceph.conf, lab.pool.name, end, String(rounds)]));
  });
}

test.serial('the main thread and workers use the addon side by side', async t => {
  const running = runFixture('workers', [lab.ceph.conf, lab.pool.name, 'natural', '2']);
  for (let i = 0; i < 20; i++) await lab.pool.listImages();
  endedWell(t, await running);
});
