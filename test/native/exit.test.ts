import test from 'ava';
import {endedWell, fixture, runFixture} from './helpers.ts';

const lab = fixture(test);

const stages = [
  'loaded',
  'hashing',
  'hasher closing',
  'failed connect',
  'connecting',
  'connected',
  'pool open',
  'failed open',
  'watching',
  'waiting',
  'notifying',
  'watch closing',
  'image opening',
  'image open',
  'writing',
  'appending',
  'finishing',
  'writer closing',
  'reading back',
  'reading back as one',
  'reading back, cancelled',
  'reading back, closing',
  'working',
  'image closing',
  'all closing',
  'all closed',
];

for (const stage of stages) {
  test.serial(`a process that ends by itself ends well when it is ${stage}`, async t => {
    endedWell(t, await runFixture('stage', [lab.ceph.conf, lab.pool.name, stage, 'natural']));
  });

  test.serial(`a process that calls process.exit() ends well when it is ${stage}`, async t => {
    endedWell(t, await runFixture('stage', [lab.ceph.conf, lab.pool.name, stage, 'exit']));
  });
}

test.serial('a connection with notifies on their way is not shut down under them', async t => {
  // one in seven such ends was a segmentation fault
  for (let count = 0; count < 20; count++)
    endedWell(t, await runFixture('stage', [lab.ceph.conf, lab.pool.name, 'notifying', 'exit']));
});

test.serial('an image that was open at process.exit() is let go of, and can be removed at once', async t => {
  const before = new Set((await lab.pool.listImages()).map(({name}) => name));
  endedWell(t, await runFixture('stage', [lab.ceph.conf, lab.pool.name, 'image open', 'exit']));
  const left = (await lab.pool.listImages()).filter(({name}) => !before.has(name));
  t.is(left.length, 1);
  await t.notThrowsAsync(lab.pool.removeImage(left[0]?.name ?? ''));
});
