/** A host that leaves cell1 and gets into cell2, by `cellar host` and the registrar. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {cellar} from '../../helpers/agent.ts';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {lab, openstack} from '../../lab/shared.ts';
import {makeHost, rowsOf} from '../registration/host.ts';
import {startRealRegistrar} from './registrar.ts';

/** `cellar host ARGS` with the login of the lab's service user. */
function operator(t: ExecutionContext, conf: string) {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-move-'));
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  const file = join(dir, 'operator.conf');
  writeFileSync(file, `[cell]\njournal_dir = ${dir}/moves\n${conf}`);
  return async (...args: string[]) => {
    const {novaConf} = lab();
    return cellar(['host', ...args, '--json', '--config-file', novaConf, '--config-file', file]);
  };
}

type Service = {id: string; binary: string; state: string};

const hostServices = async (host: string) =>
  (await novaLab().nova<{services: Service[]}>('GET', `/os-services?host=${host}`)).services;

test.serial('a host with a server stays; without it, it leaves cell1, comes to cell2 and boots there', async t => {
  const nova = novaLab();
  const os = openstack();
  const registrar = await startRealRegistrar(t);
  const host = makeHost(t, 'moved', {registration: 'registrar', conf: registrar.conf, compute: true});
  const run = operator(t, registrar.conf);
  const agent = await host.start();
  const {node} = await host.becomes('mapped');
  const compute = await nova.startCompute({host: host.name, driver: 'fake', map: false});
  t.teardown(compute.remove);
  const {id: aggregate} = (
    await nova.nova<{aggregate: {id: number}}>('POST', '/os-aggregates', {aggregate: {name: `a-${host.name}`}})
  ).aggregate;
  t.teardown(() => nova.nova('DELETE', `/os-aggregates/${aggregate}`));
  await nova.nova('POST', `/os-aggregates/${aggregate}/action`, {add_host: {host: host.name}});
  const image = await os.uploadImage({bytes: Buffer.alloc(1 << 20)});
  t.teardown(() => os.deleteImage(image.id));
  const server = await nova.server.create({image: image.id, host: host.name});
  t.is(server.status, 'ACTIVE');

  const before = await rowsOf(nova, host.name);
  const dry = await run('move', host.name, '--to', 'cell2', '--dry-run');
  t.is(dry.code, 0, dry.stderr);
  t.like(JSON.parse(dry.stdout).steps[0], {name: 'note', state: 'todo'});
  t.deepEqual((await rowsOf(nova, host.name)).mappings, before.mappings);
  const full = await run('move', host.name, '--to', 'cell2');
  t.is(full.code, 1);
  t.regex(full.stderr, /has servers: .* \(ACTIVE\)/);
  t.deepEqual((await rowsOf(nova, host.name)).mappings, before.mappings, 'only disabled');
  await nova.server.delete(server.id);

  const running = await run('move', host.name, '--to', 'cell2');
  t.is(running.code, 1);
  t.regex(running.stderr, /would make again what is deleted/);
  await compute.remove();
  await agent.stop();
  await waitFor(
    'both down',
    async () => {
      if ((await hostServices(host.name)).some(({state}) => state === 'up')) throw new Error('up');
    },
    {timeoutMs: 180_000, everyMs: 2000},
  );
  const left = await run('move', host.name, '--to', 'cell2');
  t.is(left.code, 1);
  t.regex(left.stderr, /is not yet in cell cell2/);
  const gone = await rowsOf(nova, host.name);
  t.deepEqual(gone.mappings, []);
  t.true(gone.nodes.every(({deleted}) => deleted !== 0));
  t.true(gone.services.every(({deleted}) => deleted !== 0));
  const providers = await nova.placement<{resource_providers: unknown[]}>(
    'GET',
    `/resource_providers?uuid=${node?.uuid}`,
  );
  t.deepEqual(providers.resource_providers, []);
  const again = await run('move', host.name, '--to', 'cell2');
  t.is(again.code, 1);
  t.regex(again.stderr, /is not yet in cell cell2/);

  rmSync(compute.dir, {recursive: true, force: true});
  const there = makeHost(t, 'moved', {
    name: host.name,
    cell: 'cell2',
    registration: 'registrar',
    conf: registrar.conf,
    compute: true,
  });
  await there.start();
  t.is((await there.becomes('mapped')).cell?.name, 'cell2');
  const second = await nova.startCompute({host: host.name, driver: 'fake', cell: 'cell2', map: false});
  t.teardown(second.remove);
  const done = await run('move', host.name, '--to', 'cell2');
  t.is(done.code, 0, done.stderr);
  t.true(
    JSON.parse(done.stdout).reminders.some((one: string) =>
      one.includes(`aggregate add host ${aggregate} ${host.name}`),
    ),
  );
  const booted = await nova.server.create({image: image.id, host: host.name});
  t.like(booted, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host.name}, booted.fault?.message);
  await nova.server.delete(booted.id);
  t.deepEqual((await rowsOf(nova, host.name, 'cell2')).mappings, [
    {host: host.name, cell: nova.state.cells[1]?.uuid ?? ''},
  ]);
});

test.serial('a host that only leaves is released, and status says so', async t => {
  const nova = novaLab();
  const registrar = await startRealRegistrar(t);
  const host = makeHost(t, 'released', {registration: 'registrar', conf: registrar.conf, compute: true});
  const run = operator(t, registrar.conf);
  const agent = await host.start();
  await host.becomes('mapped');
  const compute = await nova.startCompute({host: host.name, driver: 'fake', map: false});
  t.teardown(compute.remove);
  const status = JSON.parse((await run('status', host.name)).stdout);
  t.like(status, {host: host.name, mapped: {name: 'cell1'}, servers: [], migrations: []});
  await compute.remove();
  await agent.stop();
  await waitFor(
    'both down',
    async () => {
      if ((await hostServices(host.name)).some(({state}) => state === 'up')) throw new Error('up');
    },
    {timeoutMs: 180_000, everyMs: 2000},
  );
  const released = await run('release', host.name);
  t.is(released.code, 0, released.stderr);
  t.deepEqual((await rowsOf(nova, host.name)).mappings, []);
  t.like(JSON.parse((await run('status', host.name)).stdout), {mapped: null, services: [], nodes: [], providers: []});
});
