import test from 'ava';
import {endedWell, fixture, runFixture} from './helpers.ts';

const lab = fixture(test);

for (const [name, sentence] of [
  ['images', 'images that were dropped without close() are closed'],
  ['connections', 'connections that were dropped without close() are shut down'],
  ['parents', 'an image works on when its pool and its connection were dropped'],
  ['writing', 'writes under way arrive when everything was dropped'],
  ['reading', 'a buffer that is read into is not collected'],
  ['buffers', 'a buffer is not kept for longer than it is read or written'],
  ['appending', 'chunks that were appended arrive when everything was dropped'],
  ['watches', 'a watch that nobody has ends, one that somebody waits on does not'],
  ['chunks', 'a chunk is kept until it is taken, and no longer'],
  ['failures', 'calls that fail keep nothing'],
  ['missing', 'of an omap that is not there nothing is kept'],
  ['hashing', 'what is being hashed is hashed to its end when everything was dropped'],
] as const) {
  test.serial(sentence, async t => {
    const ended = await runFixture('collected', [lab.ceph.conf, lab.pool.name, name], ['--expose-gc']);
    endedWell(t, ended);
    t.is(ended.stdout, 'ok\n');
  });
}
