import test from 'ava';
import {endedWell, fixture, runFixture} from './helpers.ts';

const lab = fixture(test);

for (const [name, sentence] of [
  ['images', 'images that were dropped without close() are closed'],
  ['parents', 'an image works on when its pool and its connection were dropped'],
  ['writing', 'writes under way arrive when everything was dropped'],
  ['buffers', 'a buffer is kept as long as it is read or written, and no longer'],
  ['failures', 'calls that fail keep nothing'],
] as const) {
  test.serial(sentence, async t => {
    const ended = await runFixture('collected', [lab.ceph.conf, lab.pool.name, name], ['--expose-gc']);
    endedWell(t, ended);
    t.is(ended.stdout, 'ok\n');
  });
}
