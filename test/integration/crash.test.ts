/** The agent dies, or is told to stop, in the middle of a fill. */
import {randomBytes} from 'node:crypto';
import test from 'ava';
import {openstack} from '../lab/shared.ts';
import {answer, makePlace} from './place.ts';
import {slowGlance} from './slow-glance.ts';

const mib = 1024 * 1024;

test.serial('SIGKILL in mid-fill: the next request succeeds within the lease and what was left is gone', async t => {
  await using glance = await slowGlance();
  await using place = await makePlace({glance: glance.proxy.url});
  const data = randomBytes(40 * mib);
  const image = await openstack().uploadImage({bytes: data});
  const agent = await place.startAgent();
  const dying = place.cellar('disk', 'create', `${place.vms}/d`, '--image', image.id);
  await agent.waitForLog(line => line['event'] === 'fill-started');
  await new Promise(resolve => setTimeout(resolve, 1000));
  await agent.kill();
  t.not((await dying).code, 0);
  const [left] = await place.cacheImages();
  t.regex(left ?? '', new RegExp(`^${image.id}\\.`), 'the dead fill left its generation');

  glance.open();
  await using again = await place.startAgent();
  const disk = answer(t, await place.cellar('disk', 'create', `${place.vms}/d`, '--image', image.id));
  t.is(disk['outcome'], 'filled');
  const {parent} = disk as {parent: {image: string}};
  t.deepEqual(await place.cacheImages(), [parent.image]);
  t.not(parent.image, left);
  t.deepEqual(await place.omapKeys('cellar.index'), [image.id]);
  const at = (event: string) => again.log.findIndex(line => line['event'] === event);
  t.is(again.log[at('copy-removed')]?.['name'], left);
  t.true(at('copy-removed') < at('fill-published'), 'its dead watch was fenced, not waited for');
});

test.serial(
  'SIGTERM in mid-fill: the caller is told to try again, the agent exits with 0, and nothing is left',
  async t => {
    await using glance = await slowGlance();
    await using place = await makePlace({glance: glance.proxy.url});
    const image = await openstack().uploadImage({bytes: randomBytes(40 * mib)});
    await using agent = await place.startAgent();
    const waiting = place.cellar('disk', 'create', `${place.vms}/d`, '--image', image.id);
    await agent.waitForLog(line => line['event'] === 'fill-started');
    await new Promise(resolve => setTimeout(resolve, 1000));

    t.is(await agent.stop(), 0);
    const {code, stderr} = await waiting;
    t.is(code, 75, stderr);
    t.deepEqual(await place.cacheImages(), []);
    t.deepEqual(await place.omapKeys('cellar.index'), []);
    t.deepEqual(await place.omapKeys('cellar.disks'), []);
  },
);

test.serial('eight requests at once for a cold image: one download, eight disks', async t => {
  const glance = openstack();
  await using place = await makePlace();
  const image = await glance.uploadImage({bytes: randomBytes(20 * mib)});
  await using _ = await place.startAgent();
  const names = Array.from({length: 8}, (_, n) => `d${n}`);
  const disks = await Promise.all(
    names.map(async name =>
      answer(t, await place.cellar('disk', 'create', `${place.vms}/${name}`, '--image', image.id)),
    ),
  );
  t.deepEqual(disks.map(disk => disk['outcome']).sort(), [
    ...Array.from({length: 7}, () => 'cloned-from-cache'),
    'filled',
  ]);
  const downloads = (await glance.glanceRequests()).filter(({path}) => path === `/v2/images/${image.id}/file`);
  t.is(downloads.filter(({method}) => method === 'GET').length, 1);
});
