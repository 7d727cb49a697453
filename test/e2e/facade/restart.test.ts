/** The agent goes away while nova-compute builds servers: restarted by systemd, killed, or gone for good. */
import {randomBytes} from 'node:crypto';
import {rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type HeldAgents, holdAgents} from '../../facade/held-agents.ts';
import {startAgent} from '../../helpers/agent.ts';
import {slowGlance} from '../../integration/slow-glance.ts';
import {novaLab} from '../../lab/nova/shared.ts';
import {openstack} from '../../lab/shared.ts';
import {type Host, type Hosts, startHosts} from './host.ts';
import {baseFiles, disksOf, isClone} from './look.ts';

const mib = 1 << 20;

let hosts: Hosts;
let host: Host;

test.before('a host', async () => {
  hosts = await startHosts(['restart']);
  host = hosts.hosts[0] as Host;
});
test.after.always('it ends', () => hosts?.remove());

/** Of a Glance that sends the first 16 MiB of an image, and the rest when it is told to. */
function filesWith(upstream: string): string[] {
  const file = join(host.socket, '..', 'upstream.conf');
  writeFileSync(file, `[facade]\nupstream = ${upstream}\n`);
  return [...host.files, file];
}

async function hold(upstream: string): Promise<HeldAgents> {
  rmSync(host.socket, {force: true});
  return await holdAgents(host.socket, new URL(host.url).port, filesWith(upstream));
}

async function upload(t: ExecutionContext, size: number) {
  const os = openstack();
  const bytes = randomBytes(size * mib);
  const image = await os.uploadImage({bytes});
  t.teardown(() => os.deleteImage(image.id));
  return {...image, bytes};
}

const fillOf =
  (image: string) =>
  ({event, image: of}: {[field: string]: unknown}) =>
    event === 'fill-started' && of === image;

test.serial('the agent is restarted under load: every server comes up, as a clone', async t => {
  const {server} = novaLab();
  await using slow = await slowGlance();
  await using agents = await hold(slow.proxy.url);
  const [small, large] = [await upload(t, 8), await upload(t, 64)];
  const asked: {id: string; image: typeof small}[] = [];
  const ask = async (...images: (typeof small)[]) => {
    for (const image of images) asked.push({id: await hosts.request({image: image.id}), image});
  };
  const one = await agents.ready(1);
  await ask(large, small, large);
  await agents.waitForLog(fillOf(large.id));
  process.kill(one, 'SIGTERM');
  await ask(small, large);
  await agents.ended(1);
  const two = await agents.ready(2);
  t.not(two, one);
  await agents.waitForLog(line => line.pid === two && fillOf(large.id)(line));
  process.kill(two, 'SIGTERM');
  await ask(small);
  slow.open();
  await agents.ready(3);
  for (const {id, image} of asked) {
    const {status, fault} = await server.settled(id, 'ACTIVE');
    t.is(status, 'ACTIVE', fault?.message);
    await isClone(t, id, image.id, image.bytes);
  }
  t.deepEqual(baseFiles(host), []);
  for (const {id} of asked) await server.delete(id);
});

test.serial('the agent is killed in the middle of a fill and started again: the server comes up', async t => {
  const {server} = novaLab();
  await using slow = await slowGlance();
  await using agents = await hold(slow.proxy.url);
  const image = await upload(t, 64);
  const pid = await agents.ready(1);
  const id = await hosts.request({image: image.id});
  await agents.waitForLog(fillOf(image.id));
  process.kill(pid, 'SIGKILL');
  slow.open();
  const {status, fault} = await server.settled(id, 'ACTIVE');
  t.is(status, 'ACTIVE', fault?.message);
  await isClone(t, id, image.id, image.bytes);
  t.deepEqual(baseFiles(host), []);
  await server.delete(id);
});

test.serial(
  'the agent is killed in the middle of a fill and stays away: the server fails, and leaves nothing',
  async t => {
    const {server} = novaLab();
    const image = await upload(t, 64);
    {
      await using slow = await slowGlance();
      await using agent = await startAgent(filesWith(slow.proxy.url));
      const id = await hosts.request({image: image.id});
      await agent.waitForLog(fillOf(image.id));
      await agent.kill();
      t.is((await server.settled(id, 'ACTIVE')).status, 'ERROR');
      t.deepEqual(await disksOf(id), []);
      t.deepEqual(baseFiles(host), []);
      await server.delete(id);
    }
    await host.startAgent();
    const {id, status, fault} = await hosts.boot({image: image.id});
    t.is(status, 'ACTIVE', fault?.message);
    await isClone(t, id, image.id, image.bytes);
    await server.delete(id);
  },
);
