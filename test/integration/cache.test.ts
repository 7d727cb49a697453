/** The cache's life through a real agent and the command line. */
import {randomBytes} from 'node:crypto';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {compareDisk} from '../helpers/bytes.ts';
import {openstack} from '../lab/shared.ts';
import {answer, makePlace} from './place.ts';

const mib = 1024 * 1024;

type Listed = {
  images: {image: string; rbdImage: string; pinned: boolean; lastUse: string | null; stored: number}[];
  retired: {rbdImage: string; quarantined: boolean}[];
  pins: string[];
};

test.serial('prefetch, pin, evict, fill again: the disks of the evicted copy keep every byte', async t => {
  await using place = await makePlace();
  const glance = openstack();
  const path = join(place.dir, 'image.raw');
  await writeFile(path, Buffer.concat([randomBytes(5 * mib), Buffer.alloc(9 * mib), randomBytes(mib + 777)]));
  const image = await glance.uploadImage({path});
  await using agent = await place.startAgent();
  const list = async () => answer(t, await place.cellar('image', 'list')) as unknown as Listed;
  const act = (command: string, ...more: string[]) => place.cellar('image', command, image.id, ...more);
  const disk = async (name: string) =>
    answer(t, await place.cellar('disk', 'create', `${place.vms}/${name}`, '--image', image.id));
  const same = async (name: string) =>
    t.like(await compareDisk(place.cell.conf, `${place.vms}/${name}`, path), {identical: true});

  t.like(answer(t, await act('prefetch', '--pin')), {outcome: 'filled', glanceBytes: image.size, pinned: true});
  t.like(answer(t, await act('prefetch')), {outcome: 'exists', glanceBytes: 0});
  const [copy] = (await list()).images;
  t.like(copy, {image: image.id, pinned: true});
  t.true((copy?.stored ?? 0) >= 6 * mib && (copy?.stored ?? 0) < 8 * mib);
  t.not(copy?.lastUse, null);
  t.is((await disk('old'))['outcome'], 'cloned-from-cache');

  const refused = await act('evict');
  t.is(refused.code, 1);
  t.regex(refused.stderr, /is pinned\n {2}cellar image unpin/);
  t.like(answer(t, await act('unpin')), {pinned: false, cached: true});
  t.like(answer(t, await act('evict')), {evicted: true});
  const after = await list();
  t.deepEqual(after.images, []);
  t.like(after.retired, [{rbdImage: copy?.rbdImage, quarantined: false}]);
  t.is((await act('show')).code, 1);

  const next = await disk('new');
  t.is(next['outcome'], 'filled');
  t.not((next as {parent?: {image: string}}).parent?.image, copy?.rbdImage);
  t.is((await place.cacheImages()).length, 2);
  await same('old');
  await same('new');
  t.like(answer(t, await act('verify')), {intact: true});
  await agent.stop();
  t.deepEqual(await place.omapKeys('cellar.usage'), [image.id], 'what was used is written down at the end');
});

test.serial(
  'over max_size the least recently used copy is evicted by the next fill, and running disks are not touched',
  async t => {
    await using place = await makePlace({conf: '[image_store]\nmax_size = 1\njanitor_interval = 10\n'});
    const glance = openstack();
    const path = join(place.dir, 'image.raw');
    await writeFile(path, randomBytes(5 * mib));
    const [small, large] = [
      await glance.uploadImage({path}),
      await glance.uploadImage({bytes: Buffer.alloc(1020 * mib)}),
    ];
    await using agent = await place.startAgent();
    answer(t, await place.cellar('disk', 'create', `${place.vms}/small`, '--image', small.id));
    answer(t, await place.cellar('image', 'prefetch', large.id));
    const {images, retired} = answer(t, await place.cellar('image', 'list')) as unknown as Listed;
    t.deepEqual(
      images.map(one => one.image),
      [large.id],
    );
    t.is(retired.length, 1);
    t.regex(String(agent.log.find(line => line['event'] === 'copy-retired')?.['why']), /max_size/);
    t.like(await compareDisk(place.cell.conf, `${place.vms}/small`, path), {identical: true});
  },
);

test.serial(
  'an image that is deleted in Glance leaves the cache with the next round, a private one of others does not',
  async t => {
    await using place = await makePlace({conf: '[image_store]\njanitor_interval = 10\ndeleted_check_interval = 0\n'});
    const glance = openstack();
    const owner = await glance.createProject(`owner-${place.cache}`);
    const token = await glance.token(owner);
    const bytes = Buffer.alloc(mib, 'x');
    const shared = await glance.uploadImage({bytes});
    const theirs = await glance.uploadImage({bytes, visibility: 'private', token});
    await using agent = await place.startAgent();
    answer(t, await place.cellar('image', 'prefetch', shared.id));
    const {cellar} = await import('../helpers/agent.ts');
    const args = ['image', 'prefetch', theirs.id, '--json', '--socket', place.socket];
    answer(t, await cellar(args, {OS_TOKEN: token}));
    await glance.deleteImage(shared.id);
    await agent.waitForLog(line => line['event'] === 'copy-retired' && line['image'] === shared.id, 60_000);
    const {images} = answer(t, await place.cellar('image', 'list')) as unknown as Listed;
    t.deepEqual(
      images.map(one => one.image),
      [theirs.id],
    );
    await agent.stop();
    t.deepEqual(
      (await place.objects()).filter(name => name === 'cellar.janitor'),
      [],
      'the janitor gave its lease back',
    );
  },
);
