/** An unmodified nova-compute behind the facade makes its disks as clones of the cell's copy: first boots, later ones, other hosts. */
import {randomBytes} from 'node:crypto';
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {openstack} from '../../lab/shared.ts';
import {type Host, type Hosts, startHosts} from './host.ts';
import {uploadQcow2} from './images.ts';
import {baseFiles, copiesOf, disksOf, downloads, holds, infoOf, isClone, parentOf} from './look.ts';

const mib = 1 << 20;

let hosts: Hosts;
let first: Host;
let second: Host;

test.before('two hosts of the cell', async () => {
  hosts = await startHosts(['boots-a', 'boots-b']);
  [first, second] = hosts.hosts as [Host, Host];
  await first.startAgent();
  await second.startAgent();
});
test.after.always('they end', () => hosts?.remove());

test.serial('a raw image is filled once; every host of the cell clones the one copy', async t => {
  const os = openstack();
  const bytes = randomBytes(64 * mib);
  const image = await os.uploadImage({bytes});
  t.teardown(() => os.deleteImage(image.id));

  const cold = await hosts.boot({image: image.id, host: first, flavor: 'tiny'});
  t.like(cold, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': first.name}, cold.fault?.message);
  t.is(await downloads(image.id), 1);
  t.is((await infoOf(cold.id)).size, 1024 * mib); // the flavor's
  await isClone(t, cold.id, image.id, bytes);
  t.regex(await first.compute.virsh('domstate', cold['OS-EXT-SRV-ATTR:instance_name']), /running/);

  const warm = await hosts.boot({image: image.id, host: first});
  t.like(warm, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': first.name}, warm.fault?.message);
  await isClone(t, warm.id, image.id, bytes);
  const elsewhere = await hosts.boot({image: image.id, host: second});
  t.like(elsewhere, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': second.name}, elsewhere.fault?.message);
  await isClone(t, elsewhere.id, image.id, bytes);
  t.is(await downloads(image.id), 1, 'no further image byte');
  t.deepEqual([...baseFiles(first), ...baseFiles(second)], []);

  for (const {id} of [cold, warm, elsewhere]) {
    await novaLab().server.delete(id);
    t.deepEqual(await disksOf(id), []);
  }
  t.is((await copiesOf(image.id)).length, 1, 'the copy stays');
});

test.serial('a qcow2 image boots as a clone of its raw bytes', async t => {
  const os = openstack();
  const bytes = Buffer.concat([randomBytes(24 * mib), Buffer.alloc(30 * mib), randomBytes(10 * mib)]);
  const image = await uploadQcow2(bytes);
  t.teardown(() => os.deleteImage(image.id));

  for (const host of [first, second]) {
    const server = await hosts.boot({image: image.id, host: host});
    t.like(server, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host.name}, server.fault?.message);
    await isClone(t, server.id, image.id, bytes);
    t.deepEqual(baseFiles(host), []);
    await novaLab().server.delete(server.id);
  }
  t.is(await downloads(image.id), 1);
});

test.serial('an ISO image is left to Nova, which downloads it', async t => {
  const os = openstack();
  const bytes = Buffer.alloc(2 * mib);
  bytes.write('\x01CD001\x01', 32_768, 'latin1'); // the head of an ISO 9660 volume, and its end
  bytes.write('\xffCD001\x01', 34_816, 'latin1');
  const image = await os.uploadImage({bytes, diskFormat: 'iso'});
  t.teardown(async () => {
    for (const name of baseFiles(first)) rmSync(join(first.compute.instancesPath, '_base', name));
    await os.deleteImage(image.id);
  });
  const server = await hosts.boot({image: image.id, host: first});
  t.is(server.status, 'ACTIVE', server.fault?.message);
  t.is(await parentOf(server.id), undefined);
  await holds(t, server.id, bytes);
  t.deepEqual(await copiesOf(image.id), []);
  await novaLab().server.delete(server.id);
});

test.serial('servers that are asked for at once of an image that the cell has not: one download', async t => {
  const os = openstack();
  const bytes = randomBytes(96 * mib);
  const image = await os.uploadImage({bytes});
  t.teardown(() => os.deleteImage(image.id));
  const ids = await Promise.all([first, second, first, second].map(host => hosts.request({image: image.id, host})));
  const servers = await Promise.all(ids.map(id => novaLab().server.settled(id, 'ACTIVE')));
  for (const server of servers) {
    t.is(server.status, 'ACTIVE', server.fault?.message);
    await isClone(t, server.id, image.id, bytes);
  }
  t.is(await downloads(image.id), 1);
  t.deepEqual([...baseFiles(first), ...baseFiles(second)], []);
  for (const {id} of servers) await novaLab().server.delete(id);
});

test.serial('a host whose agent is down: what is scheduled there goes to another host of the cell', async t => {
  const os = openstack();
  const bytes = randomBytes(8 * mib);
  const image = await os.uploadImage({bytes});
  t.teardown(() => os.deleteImage(image.id));
  // no build has failed so far, and the other host has less memory free: the scheduler comes to this one first
  const weight = await hosts.boot({image: image.id, host: second, flavor: 'small'});
  t.is(weight.status, 'ACTIVE', weight.fault?.message);
  await first.agent?.stop();
  t.teardown(() => first.startAgent());
  const mark = first.compute.logMark();
  const server = await hosts.boot({image: image.id});
  t.like(server, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': second.name}, server.fault?.message);
  t.true(first.compute.logText(mark).includes(`${server.id} was re-scheduled`), 'it was tried here before');
  await isClone(t, server.id, image.id, bytes);
  t.deepEqual(baseFiles(first), []);
  t.is(await downloads(image.id), 1);
  for (const {id} of [weight, server]) await novaLab().server.delete(id);
});

test.serial(
  'an image that is private to another project is not served, with a copy in the cell or without',
  async t => {
    const os = openstack();
    const [owner, other] = await Promise.all(
      ['owner', 'other'].map(who => os.createProject(`facade-${who}-${process.pid}`)),
    );
    if (!owner || !other) throw new Error('unreachable');
    const bytes = randomBytes(8 * mib);
    const image = await os.uploadImage({bytes, visibility: 'shared', token: await os.token(owner)});
    t.teardown(() => os.deleteImage(image.id));
    const call = async (method: string, path: string, account: typeof owner, body?: object) => {
      const headers = {'X-Auth-Token': await os.token(account), 'Content-Type': 'application/json'};
      const url = `${os.glanceUrl}/v2/images/${image.id}/members${path}`;
      const response = await fetch(url, {method, headers, ...(body && {body: JSON.stringify(body)})});
      t.true(response.ok, `${method} ${path}: ${response.status}`);
      return response.status === 204 ? undefined : ((await response.json()) as {member_id: string});
    };

    await t.throwsAsync(
      hosts.boot({image: image.id, account: other, flavor: 'tiny'}),
      {message: /: 40[04] /},
      'the API refuses it',
    );
    t.is(await downloads(image.id), 0);
    t.deepEqual(await copiesOf(image.id), []);

    // What the API lets pass may be forbidden when the compute asks: the token is asked about again, with Glance.
    const attempt = async () => {
      const project = await projectOf(other);
      await call('POST', '', owner, {member: project});
      await call('PUT', `/${project}`, other, {status: 'accepted'});
      for (const {compute} of hosts.hosts) compute.signal('SIGSTOP');
      const mark = os.glanceMark();
      const id = await hosts.request({image: image.id, account: other, flavor: 'tiny'});
      await call('DELETE', `/${project}`, owner);
      for (const {compute} of hosts.hosts) compute.signal('SIGCONT');
      const server = await novaLab().server.settled(id, 'ACTIVE');
      t.is(server.status, 'ERROR');
      t.deepEqual(await disksOf(id), []);
      const refused = (await os.glanceRequests(mark)).filter(
        ({path, status}) => path === `/v2/images/${image.id}` && status === 404,
      );
      t.true(refused.length > 0, 'Glance was asked, and said no');
      await novaLab().server.delete(id);
    };
    await attempt();
    t.is(await downloads(image.id), 0);
    t.deepEqual(await copiesOf(image.id), []);

    const server = await hosts.boot({image: image.id, account: owner, flavor: 'tiny'});
    t.is(server.status, 'ACTIVE', server.fault?.message);
    await isClone(t, server.id, image.id, bytes);
    await attempt();
    t.is(await downloads(image.id), 1);
    t.deepEqual([...baseFiles(first), ...baseFiles(second)], []);
    await novaLab().server.delete(server.id);
  },
);

async function projectOf(account: {project: string}): Promise<string> {
  const {keystoneUrl, admin, token} = openstack();
  const headers = {'X-Auth-Token': await token(admin)};
  const response = await fetch(`${keystoneUrl}/projects?name=${account.project}`, {headers});
  const {projects} = (await response.json()) as {projects: {id: string}[]};
  return projects[0]?.id ?? '';
}

test.serial('a host dies: what ran there is evacuated to another host of the cell, with the disk it had', async t => {
  const {nova, server} = novaLab();
  const os = openstack();
  const bytes = randomBytes(8 * mib);
  const image = await os.uploadImage({bytes});
  t.teardown(() => os.deleteImage(image.id));
  const {id, status, fault} = await hosts.boot({image: image.id, host: first});
  t.is(status, 'ACTIVE', fault?.message);
  await first.compute.remove();
  const {services} = await nova<{services: {id: string}[]}>(
    'GET',
    `/os-services?binary=nova-compute&host=${first.name}`,
  );
  await nova('PUT', `/os-services/${services[0]?.id}`, {forced_down: true});
  const mark = os.glanceMark();
  await server.action(id, {evacuate: {host: second.name}});
  // Nova writes down the host after the server is active again
  const arrived = async () => {
    const evacuated = await server.settled(id, 'ACTIVE');
    const isThere = evacuated.status === 'ACTIVE' && evacuated['OS-EXT-SRV-ATTR:host'] === first.name;
    if (isThere) throw new Error(`it is still on ${first.name}`);
    return evacuated;
  };
  const {status: after, fault: failure, ...evacuated} = await waitFor('the evacuation', arrived, {everyMs: 200});
  t.is(after, 'ACTIVE', failure?.message);
  t.is(evacuated['OS-EXT-SRV-ATTR:host'], second.name);
  await isClone(t, id, image.id, bytes);
  t.is(await downloads(image.id, mark), 0);
  t.deepEqual(baseFiles(second), []);
  await server.delete(id);
  t.deepEqual(await disksOf(id), []);
});
