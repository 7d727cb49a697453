/** Switching a host over to the facade and back: local copies from before, those that Nova is asked to make, a host without its agent. */
import {createHash, randomBytes} from 'node:crypto';
import test from 'ava';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {openstack} from '../../lab/shared.ts';
import {type Host, type Hosts, startHosts} from './host.ts';
import {uploadQcow2} from './images.ts';
import {baseFiles, copiesOf, disksOf, downloads, holds, isClone, parentOf} from './look.ts';

const mib = 1 << 20;
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex');

let hosts: Hosts;
let host: Host;

test.before('a host whose Nova is as it was', async () => {
  hosts = await startHosts(['leftovers'], {stock: true});
  host = hosts.hosts[0] as Host;
});
test.after.always('it ends', () => hosts?.remove());

const noBaseFile = (image: string) =>
  waitFor(`the end of the local copy of ${image}`, async () => {
    if (baseFiles(host).includes(sha1(image))) throw new Error('it is still there');
  });

test.serial('a local copy from before the facade keeps Nova from cloning, until the cell has a copy', async t => {
  const os = openstack();
  const {server} = novaLab();
  const bytes = randomBytes(64 * mib);
  const image = await os.uploadImage({bytes});
  t.teardown(() => os.deleteImage(image.id));
  const boot = async () => {
    const {id, status, fault} = await hosts.boot({image: image.id});
    t.is(status, 'ACTIVE', fault?.message);
    t.teardown(() => server.delete(id));
    return id;
  };
  t.is(await parentOf(await boot()), undefined);
  t.deepEqual(baseFiles(host), [sha1(image.id)]);

  await host.compute.restart({glanceEndpoint: host.url});
  const agent = await host.startAgent();
  t.is(await parentOf(await boot()), undefined, 'Nova takes what it has, and asks nobody');
  t.deepEqual(await copiesOf(image.id), []);

  const {code, stderr} = await host.cellar('image', 'prefetch', image.id);
  t.is(code, 0, stderr);
  await noBaseFile(image.id);
  await agent.waitForLog(({event, image: of}) => event === 'base-file-removed' && of === image.id);
  await isClone(t, await boot(), image.id, bytes);
  t.is(await downloads(image.id), 2, "Nova's, and that of the cell");
  t.deepEqual(baseFiles(host), []);
});

test.serial("Nova's pre-caching ends in a copy in the cell, and in no local one", async t => {
  const os = openstack();
  const {server, nova} = novaLab();
  const bytes = randomBytes(32 * mib);
  const images = [await os.uploadImage({bytes}), await uploadQcow2(bytes)];
  t.teardown(async () => {
    for (const {id} of images) await os.deleteImage(id);
  });
  const mark = host.compute.logMark();
  const precache = (id: string) => nova('POST', `/os-aggregates/${hosts.zone.aggregate}/images`, {cache: [{id}]});
  for (const {id} of images) await precache(id); // Nova's API takes two at once for duplicates, as their order is by chance
  for (const {id: image} of images) {
    await host.agent?.waitForLog(({event, image: of}) => event === 'base-file-removed' && of === image, 120_000);
    const made = await downloads(image);
    t.true(made <= 2, `Glance sent it ${made} times`);
    const {id, status, fault} = await hosts.boot({image});
    t.is(status, 'ACTIVE', fault?.message);
    await isClone(t, id, image, bytes);
    t.is(await downloads(image), made);
    await server.delete(id);
  }
  t.deepEqual(baseFiles(host), []);
  t.notRegex(host.compute.logText(mark), /ImageUnacceptable/);
});

test.serial('without its agent a host makes no disks, until nova.conf is as it was', async t => {
  const os = openstack();
  const {server} = novaLab();
  const bytes = randomBytes(32 * mib);
  const image = await os.uploadImage({bytes});
  t.teardown(() => os.deleteImage(image.id));
  const clone = await hosts.boot({image: image.id});
  await isClone(t, clone.id, image.id, bytes);

  t.is(await host.agent?.stop(), 0);
  const mark = host.compute.logMark();
  const failed = await hosts.boot({image: image.id});
  t.is(failed.status, 'ERROR');
  t.regex(host.compute.logText(mark), /GlanceConnectionFailed|Connection to glance host .* failed/);
  t.deepEqual(await disksOf(failed.id), []);
  t.deepEqual(baseFiles(host), []);
  await server.delete(failed.id);

  await host.compute.restart({glanceEndpoint: undefined});
  const {id, status, fault} = await hosts.boot({image: image.id});
  t.is(status, 'ACTIVE', fault?.message);
  t.is(await parentOf(id), undefined);
  await holds(t, id, bytes);
  t.is(await downloads(image.id), 2, 'the fill, and this one');
  t.deepEqual(baseFiles(host), [sha1(image.id)]);
  t.regex(
    await host.compute.virsh('domstate', clone['OS-EXT-SRV-ATTR:instance_name']),
    /running/,
    'a clone needs no agent',
  );
  await server.delete(id);
  await server.delete(clone.id);
});
