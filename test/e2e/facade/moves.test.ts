/** Servers that are migrated cold: to another host of their cell, where the disk stays what and where it is, and to another cell. */
import {randomBytes} from 'node:crypto';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {openstack, type Uploaded} from '../../lab/shared.ts';
import {type Host, type Hosts, startHosts} from './host.ts';
import {baseFiles, copiesOf, disksOf, downloads, holds, infoOf, isClone, snapshotsOf} from './look.ts';

const mib = 1 << 20;

let hosts: Hosts;
let first: Host;
let second: Host;
let far: Host;
let image: Uploaded & {bytes: Buffer};

test.before('two hosts of a cell and one of another, with agents on the first and on the last', async () => {
  const imageStore = 'janitor_interval = 10\ndeleted_check_interval = 0';
  hosts = await startHosts(['moves-a', 'moves-b', 'moves-far'], {cell2: ['moves-far'], imageStore});
  [first, second, far] = hosts.hosts as [Host, Host, Host];
  await Promise.all([first.startAgent(), far.startAgent()]);
  const bytes = randomBytes(16 * mib);
  image = {...(await openstack().uploadImage({bytes})), bytes};
});
test.after.always('they end', async () => {
  await hosts?.remove();
  if (image) await openstack().deleteImage(image.id);
});

type Server = {id: string; domain: string};

async function boot(): Promise<Server> {
  const {id, status, fault, ...server} = await hosts.boot({image: image.id, host: first});
  if (status !== 'ACTIVE') throw new Error(fault?.message);
  return {id, domain: server['OS-EXT-SRV-ATTR:instance_name']};
}

/** Asks Nova for something that ends with this status on this host. */
async function act(t: ExecutionContext, id: string, action: object, status: string, host: Host) {
  const {server} = novaLab();
  await server.action(id, action);
  const now = await server.settled(id, status);
  t.like(now, {status, 'OS-EXT-SRV-ATTR:host': host.name}, now.fault?.message);
}

/** It runs on this host, and the others do not know it. */
async function runsAt(t: ExecutionContext, {domain}: Server, host: Host, ...others: Host[]) {
  t.regex(await host.compute.virsh('domstate', domain), /running/);
  for (const {compute} of others) t.false((await compute.virsh('list', '--all', '--name')).includes(domain));
}

test.serial(
  'to another host of the cell, taken back and confirmed: it is the same disk, and no image is asked for',
  async t => {
    const server = await boot();
    const {id} = server;
    const {id: disk, size, parent} = await infoOf(id);
    const mark = openstack().glanceMark();
    const isTheSame = async (...snapshots: string[]) => {
      t.like(await infoOf(id), {id: disk, size, parent});
      t.deepEqual(await snapshotsOf(id), snapshots);
      t.deepEqual(await disksOf(id), ['disk']);
    };
    const migrate = async () => {
      await act(t, id, {migrate: {host: second.name}}, 'VERIFY_RESIZE', second);
      t.regex(await second.compute.virsh('domstate', server.domain), /running/);
      await isTheSame('nova-resize');
    };
    await migrate();
    await act(t, id, {revertResize: null}, 'ACTIVE', first);
    await runsAt(t, server, first, second);
    await isTheSame();
    await migrate();
    await act(t, id, {confirmResize: null}, 'ACTIVE', second);
    await runsAt(t, server, second, first);
    await isTheSame();
    await isClone(t, id, image.id, image.bytes);
    t.is(await downloads(image.id, mark), 0);

    await novaLab().server.delete(id);
    t.deepEqual(await disksOf(id), []);
    for (const {compute} of [first, second]) t.false(existsSync(join(compute.instancesPath, `${id}_resize`)));
    t.deepEqual([...baseFiles(first), ...baseFiles(second)], []);
  },
);

test.serial('to another cell: Nova fails, and has the server as it was after a hard reboot', async t => {
  const {server} = novaLab();
  const booted = await boot();
  const {id} = booted;
  const {id: disk, size, parent} = await infoOf(id);
  await server.action(id, {migrate: {host: far.name}});
  t.is((await server.settled(id, 'VERIFY_RESIZE')).status, 'ERROR');
  await waitFor('the end of the migration', () => ended(id));
  t.true(
    far.compute
      .logText()
      .includes(`rbd.ImageNotFound: [errno 2] RBD image not found (error opening image b'${id}_disk'`),
  );
  t.deepEqual(await disksOf(id, 'cell2'), []);
  t.deepEqual(baseFiles(far), []);

  await server.action(id, {reboot: {type: 'HARD'}});
  await waitFor('the reboot', async () => {
    const {status} = await server.show(id);
    if (status !== 'ACTIVE') throw new Error(`the server is ${status}`);
  });
  await runsAt(t, booted, first, far);
  t.like(await infoOf(id), {id: disk, size, parent});
  await isClone(t, id, image.id, image.bytes);
  await server.delete(id);
});

/** Until the conductor has cleared up after a failed migration, it writes over what else is done with the server. */
async function ended(id: string): Promise<void> {
  const {nova} = novaLab();
  const of = `/servers/${id}/os-instance-actions`;
  type Action = {action: string; request_id: string; events?: {event: string; finish_time: string | null}[]};
  const {instanceActions} = await nova<{instanceActions: Action[]}>('GET', of);
  const request = instanceActions.find(({action}) => action === 'migrate')?.request_id;
  const {instanceAction} = await nova<{instanceAction: Action}>('GET', `${of}/${request}`);
  const event = instanceAction.events?.find(({event}) => event === 'conductor_migrate_server');
  if (!event?.finish_time) throw new Error('the conductor is still at it');
}

test.serial('to another cell, where cellar has made its disk before: taken back and confirmed', async t => {
  const {server, cluster} = novaLab();
  const os = openstack();
  const {id} = await boot();
  const {id: disk} = await infoOf(id);
  await act(t, id, {'os-stop': null}, 'SHUTOFF', first);
  const answer = await server.action(id, {createImage: {name: 'moves'}});
  const {image_id: snapshot} = (await answer.json()) as {image_id: string};
  t.teardown(() => os.deleteImage(snapshot));
  await server.settled(id, 'SHUTOFF');
  const migrate = async () => {
    await cluster('cell1').rbd('snap', 'create', '--no-progress', `vms/${id}_disk@nova-resize`);
    const {code, stderr} = await far.cellar('disk', 'create', `vms/${id}_disk`, '--image', snapshot);
    t.is(code, 0, stderr);
    const {id: made, parent} = await infoOf(id, 'disk', 'cell2');
    t.deepEqual([parent?.image], await copiesOf(snapshot, 'cell2'));
    await act(t, id, {migrate: {host: far.name}}, 'VERIFY_RESIZE', far);
    const {id: now, parent: after} = await infoOf(id, 'disk', 'cell2');
    t.is(now, made, 'Nova takes the disk that is there');
    t.is(after, undefined, 'and flattens it');
    t.is((await infoOf(id)).id, disk, 'the old one stays until it is confirmed');
  };
  await migrate();
  await act(t, id, {revertResize: null}, 'SHUTOFF', first);
  t.deepEqual(await snapshotsOf(id), []);
  await isClone(t, id, image.id, image.bytes);
  t.deepEqual(await disksOf(id, 'cell2'), ['disk'], 'Nova leaves it there');
  for (const step of [['snap', 'purge'], ['rm']])
    await cluster('cell2').rbd(...step, '--no-progress', `vms/${id}_disk`);

  const mark = os.glanceMark();
  await migrate();
  await act(t, id, {confirmResize: null}, 'SHUTOFF', far);
  t.deepEqual(await disksOf(id), []);
  await act(t, id, {'os-start': null}, 'ACTIVE', far);
  await holds(t, id, image.bytes, 'disk', 'cell2');
  t.is(await downloads(snapshot, mark), 0, 'the second time the cell has its copy');
  t.deepEqual(baseFiles(far), []);
  await cluster('cell2').rbd('snap', 'rm', '--no-progress', `vms/${id}_disk@nova-resize`);
  await server.delete(id);
  t.deepEqual(await disksOf(id, 'cell2'), []);

  // Nova has made an image of its own for the move, of which the facade has made a copy, and has deleted it
  const removed = (await os.glanceRequests(mark))
    .filter(({method}) => method === 'DELETE')
    .map(({path}) => path.split('/')[3]);
  t.is(removed.length, 1);
  await far.agent?.waitForLog(
    ({event, image: of, reason}) => event === 'copy-retired' && of === removed[0] && reason === 'deleted-image',
  );
});
