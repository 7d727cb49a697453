/** What is done with servers whose disks are clones of the cell's copies: Nova's own operations work as on any other disk. */
import {createHash, randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {openstack, type Uploaded} from '../../lab/shared.ts';
import {type Host, type Hosts, startHosts} from './host.ts';
import {baseFiles, copiesOf, disksOf, downloads, holds, infoOf, isClone, parentOf} from './look.ts';

const mib = 1 << 20;

type Image = Uploaded & {bytes: Buffer};

let hosts: Hosts;
let host: Host;
let first: Image;
let second: Image;

test.before('a host, and two images', async () => {
  hosts = await startHosts(['operations']);
  host = hosts.hosts[0] as Host;
  await host.startAgent();
  [first, second] = [await upload(64), await upload(48)];
});
test.after.always('they end', async () => {
  await hosts?.remove();
  for (const image of [first, second]) if (image) await openstack().deleteImage(image.id);
});

async function upload(size: number): Promise<Image> {
  const bytes = randomBytes(size * mib);
  return {...(await openstack().uploadImage({bytes})), bytes};
}

async function boot(image: Image): Promise<string> {
  const server = await hosts.boot({image: image.id});
  if (server.status !== 'ACTIVE') throw new Error(server.fault?.message);
  return server.id;
}

type GlanceImage = {
  status: string;
  size: number;
  os_hash_value: string;
  disk_format: string;
  locations: {url: string}[];
};

/** What Glance itself says of an image; undefined when it has none. */
async function imageOf(id: string): Promise<GlanceImage | undefined> {
  const {glanceUrl, admin, token} = openstack();
  const response = await fetch(`${glanceUrl}/v2/images/${id}`, {headers: {'X-Auth-Token': await token(admin)}});
  return response.status === 404 ? undefined : ((await response.json()) as GlanceImage);
}

test.serial(
  'a snapshot of a server is an image with the bytes of its disk; it gets no copy in the cell by that',
  async t => {
    const {server} = novaLab();
    const id = await boot(first);
    const mark = host.compute.logMark();
    const snapshot = await imageMadeBy(t, id, {createImage: {name: 'snapshot'}});
    t.deepEqual(new Set(snapshot.locations.map(({url}) => url.split('/')[2])), new Set([await glanceFsid()]));
    t.regex(host.compute.logText(mark), /no write permission on storage pool cellar/);
    t.deepEqual(await copiesOf(snapshot.id), []);
    t.is(await downloads(snapshot.id), 0);
    await isClone(t, id, first.id, first.bytes);
    await server.delete(id);
  },
);

test.serial('a backup is an image with the bytes of the disk, and takes the place of the one before', async t => {
  const {server} = novaLab();
  const id = await boot(first);
  const backup = () => imageMadeBy(t, id, {createBackup: {name: 'daily', backup_type: 'daily', rotation: 1}});
  const one = await backup();
  const two = await backup();
  t.not(two.id, one.id);
  await waitFor('the first backup to go', async () => {
    const now = await imageOf(one.id);
    if (now !== undefined && now.status !== 'deleted') throw new Error(`it is ${now.status}`);
  });
  for (const made of [one, two]) t.deepEqual(await copiesOf(made.id), []);
  t.is(await downloads(two.id), 0);
  await isClone(t, id, first.id, first.bytes);
  await server.delete(id);
});

/** Asks Nova for an image of the server's disk, which is the first image's; it is gone after the test. */
async function imageMadeBy(t: ExecutionContext, id: string, action: object): Promise<GlanceImage & {id: string}> {
  const {server} = novaLab();
  const answer = await server.action(id, action);
  const {image_id: made} = (await answer.json()) as {image_id: string};
  t.teardown(async () => {
    if (await imageOf(made)) await openstack().deleteImage(made);
  });
  await server.settled(id, 'ACTIVE');
  const image = await waitFor('the image', async () => {
    const now = await imageOf(made);
    if (now === undefined || now.status === 'active') return now;
    throw new Error(`it is ${now.status}`);
  });
  if (image === undefined) throw new Error(`Nova gave up image ${made}`);
  t.like(image, {status: 'active', disk_format: 'raw', size: first.bytes.length});
  t.is(image.os_hash_value, createHash('sha512').update(first.bytes).digest('hex'));
  return {...image, id: made};
}

/** Of the cluster that holds what was uploaded. */
async function glanceFsid() {
  return new URL((await imageOf(first.id))?.locations[0]?.url ?? '').host;
}

test.serial('rebuild with another image: the new disk is a clone of that', async t => {
  const {server} = novaLab();
  const id = await boot(first);
  await server.action(id, {rebuild: {imageRef: second.id}});
  t.is((await server.settled(id, 'ACTIVE')).status, 'ACTIVE');
  await isClone(t, id, second.id, second.bytes);
  t.deepEqual(await disksOf(id), ['disk']);
  t.is(await downloads(second.id), 1);
  await server.delete(id);
});

test.serial('rescue and unrescue: the rescue disk is a clone, and goes', async t => {
  const {server} = novaLab();
  const id = await boot(first);
  const before = await infoOf(id);
  await server.action(id, {rescue: {rescue_image_ref: second.id}});
  t.is((await server.settled(id, 'RESCUE')).status, 'RESCUE');
  t.deepEqual(await disksOf(id), ['disk', 'disk.rescue']);
  await isClone(t, id, second.id, second.bytes, 'disk.rescue');
  await server.action(id, {unrescue: null});
  t.is((await server.settled(id, 'ACTIVE')).status, 'ACTIVE');
  t.deepEqual(await disksOf(id), ['disk']);
  t.deepEqual(await infoOf(id), before);
  await server.delete(id);
});

test.serial('shelve takes the disk away, unshelve brings it back with its bytes', async t => {
  const {server} = novaLab();
  const id = await boot(first);
  await server.action(id, {shelve: null});
  const shelved = await server.settled(id, 'SHELVED_OFFLOADED');
  t.is(shelved.status, 'SHELVED_OFFLOADED', shelved.fault?.message);
  t.deepEqual(await disksOf(id), []);
  await host.agent?.stop();
  const agent = await host.startAgent(); // it knows nothing of the upload a moment ago
  await server.action(id, {unshelve: null});
  const back = await server.settled(id, 'ACTIVE');
  t.is(back.status, 'ACTIVE', back.fault?.message);
  await holds(t, id, first.bytes);
  t.is(await parentOf(id), undefined, 'Nova flattens such disks');
  t.true(agent.log.some(({event}) => event === 'fill-published'));
  t.deepEqual(baseFiles(host), [], 'it was a clone first');
  await server.delete(id);
});

test.serial('resize, taken back and confirmed, on the same host', async t => {
  const {server} = novaLab();
  const id = await boot(first);
  const resize = async () => {
    await server.action(id, {resize: {flavorRef: 'tiny'}});
    const resized = await server.settled(id, 'VERIFY_RESIZE');
    t.is(resized.status, 'VERIFY_RESIZE', resized.fault?.message);
    t.is((await infoOf(id)).size, 1024 * mib);
    await isClone(t, id, first.id, first.bytes);
  };
  await resize();
  await server.action(id, {revertResize: null});
  t.is((await server.settled(id, 'ACTIVE')).status, 'ACTIVE');
  t.is((await infoOf(id)).size, first.bytes.length);
  await isClone(t, id, first.id, first.bytes);
  await resize();
  await server.action(id, {confirmResize: null});
  t.is((await server.settled(id, 'ACTIVE')).status, 'ACTIVE');
  await isClone(t, id, first.id, first.bytes);
  t.is(await novaLab().cluster('cell1').rbd('snap', 'ls', `vms/${id}_disk`), '');
  await server.delete(id);
  t.deepEqual(await disksOf(id), []);
});

test.serial(
  'after all of it each image was downloaded once, and nothing of them is on the disk of the host',
  async t => {
    for (const {id} of [first, second]) {
      t.is((await copiesOf(id)).length, 1);
      t.is(await downloads(id), 1);
    }
    t.deepEqual(baseFiles(host), []);
  },
);
