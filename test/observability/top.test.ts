/** The fills of a cell, seen from a host that has nothing to do with them. */
import {join} from 'node:path';
import test from 'ava';
import {writeImage} from '../helpers/bytes.ts';
import {answer, makePlace} from '../integration/place.ts';
import {slowGlance} from '../integration/slow-glance.ts';
import {openstack} from '../lab/shared.ts';
import {until} from './prometheus.ts';

const mib = 1024 * 1024;
type Fill = {image: string; host: string | null; state: string; received: number | null; size: number | null};

test.serial(
  "another host's fill is in `cellar top` with its host and its progress; nothing when it is done",
  async t => {
    await using slow = await slowGlance();
    await using place = await makePlace({glance: slow.proxy.url});
    const path = join(place.dir, 'image.raw');
    await writeImage(path, 40 * mib, 40 * mib);
    const image = await openstack().uploadImage({path});
    const other = place.host('compute-2');
    await using filler = await place.startAgent();
    await using _ = await other.startAgent();
    const made = place.cellar('disk', 'create', `${place.vms}/a`, '--image', image.id);
    await filler.waitForLog(line => line['event'] === 'fill-started');
    let seen: Fill[] = [];
    await until(60_000, async () => {
      seen = answer(t, await other.cellar('top'))['fills'] as Fill[];
      return (seen[0]?.received ?? 0) > 0;
    });
    t.like(seen, [{image: image.id, host: 'compute-1', state: 'filling', size: image.size}]);
    t.true((seen[0]?.received ?? 0) <= (image.size ?? 0) / 2 + 8 * mib, 'it is halted there');
    slow.open();
    t.is(answer(t, await made)['outcome'], 'filled');
    t.deepEqual(answer(t, await other.cellar('top'))['fills'], []);
    const status = answer(t, await other.cellar('status'));
    t.like(status['cached'], {images: 1, limit: null});
    t.deepEqual(status['mishaps'], []);
  },
);
