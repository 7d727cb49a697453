/** A hundred requests in flight at one agent: more than its threads, and every one gets a whole disk. */
import {join} from 'node:path';
import test from 'ava';
import {createClient} from '../../src/api/client.ts';
import {compareDisk, writeImage} from '../helpers/bytes.ts';
import {openstack} from '../lab/shared.ts';
import {makePlace} from './place.ts';

const mib = 1024 * 1024;
const many = 100;

test('a hundred disks of a cold image at once: one fill, a hundred whole clones, no intent left', async t => {
  await using place = await makePlace();
  const glance = openstack();
  const path = join(place.dir, 'image.raw');
  await writeImage(path, 20 * mib + 4097, 12 * mib);
  const image = await glance.uploadImage({path});
  await using _ = await place.startAgent();
  const client = createClient({socket: place.socket, version: 'test'});
  const size = 64 * mib;
  const names = Array.from({length: many}, (_, n) => `disk-${n}`);
  const ask = (name: string) => client.createDisk({pool: place.vms, name, image: image.id, size});

  const made = await Promise.all(names.map(ask));
  const outcomes = made.map(({outcome}) => outcome).toSorted();
  t.deepEqual(outcomes, [...Array(many - 1).fill('cloned-from-cache'), 'filled']);
  t.true(made.every(disk => disk.size === size));
  t.is(
    made.reduce((sum, {glanceBytes}) => sum + glanceBytes, 0),
    image.size,
  );
  const downloads = (await glance.glanceRequests()).filter(one => one.path === `/v2/images/${image.id}/file`);
  t.is(downloads.filter(({method}) => method === 'GET').length, 1);

  const [copy = ''] = await place.cacheImages();
  const children = JSON.parse(await place.cell.rbd('children', `${place.cache}/${copy}@snap`, '--format=json'));
  t.deepEqual(children.map(({image}: {image: string}) => image).toSorted(), names.toSorted());
  t.deepEqual(await place.omapKeys('cellar.disks'), []);
  for (const name of [names[0], names[57], names[many - 1]]) {
    const disk = `${place.vms}/${name}`;
    t.like(await compareDisk(place.cell.conf, disk, path), {identical: true, size});
    t.deepEqual(JSON.parse(await place.cell.rbd('info', disk, '--format=json')).flags, []);
  }

  const again = await Promise.all(names.map(ask));
  t.true(again.every(({outcome}) => outcome === 'exists'));
});
