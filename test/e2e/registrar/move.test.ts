/** A host that leaves cell1 and gets into cell2, by `cellar host` and the registrar. */
import {spawn} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {cellar} from '../../helpers/agent.ts';
import {type CellName, novaLab, type Row} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {lab, openstack} from '../../lab/shared.ts';
import {makeHost, rowsOf} from '../registration/host.ts';
import {startRealRegistrar} from './registrar.ts';

/** `cellar host ARGS` with the login of the lab's service user. */
function operator(t: ExecutionContext, conf: string) {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-move-'));
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  const file = join(dir, 'operator.conf');
  const journal = join(dir, 'moves');
  writeFileSync(file, `[cell]\njournal_dir = ${journal}\n${conf}`);
  const {novaConf} = lab();
  const whole = (args: string[]) => ['host', ...args, '--config-file', novaConf, '--config-file', file];
  return {
    journal: () => (existsSync(journal) ? readdirSync(journal) : []),
    run: (...args: string[]) => cellar([...whole(args), '--json']),
    /** Again and again, until it has nothing to do; how often it was killed. */
    async killed(...args: string[]) {
      for (let times = 0; ; times += 1) if (!(await killedAtStep(whole(args)))) return times;
    },
  };
}

/** SIGKILL as soon as it says that it has done something; false: it ended before. */
async function killedAtStep(args: string[]): Promise<boolean> {
  const child = spawn(process.execPath, [cellarProgram, ...args], {stdio: ['ignore', 'ignore', 'pipe']});
  child.stderr.on('data', chunk => {
    if (String(chunk).includes('done: ')) child.kill('SIGKILL');
  });
  const [, signal] = await once(child, 'close');
  return signal === 'SIGKILL';
}

const cellarProgram = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

/** All of a host but what signs of life change. */
async function still(host: string, cell: CellName = 'cell1') {
  const {services, ...rows} = await rowsOf(novaLab(), host, cell);
  return {...rows, services: services.map(({report_count: _, ...row}) => row)};
}

const bothDown = (host: string) =>
  waitFor(
    'both down',
    async () => {
      if ((await hostServices(host)).some(({state}) => state === 'up')) throw new Error('up');
    },
    {timeoutMs: 180_000, everyMs: 2000},
  );

type Service = {id: string; binary: string; state: string; disabled_reason: string | null};

const isCompute = (row: Row) => row['binary'] === 'nova-compute';

/** As Nova has it of a server on its way; answers its uuid. */
async function migration(server: string, host: string): Promise<string> {
  const uuid = randomUUID();
  await novaLab().sql(
    'nova_cell1',
    `insert into migrations (created_at, uuid, deleted, source_compute, dest_compute, source_node, dest_node, status, instance_uuid, migration_type, hidden)
     values (now(), '${uuid}', 0, '${host}', 'elsewhere', '${host}', 'elsewhere', 'running', '${server}', 'migration', 0)`,
  );
  return uuid;
}

const hostServices = async (host: string) =>
  (await novaLab().nova<{services: Service[]}>('GET', `/os-services?host=${host}`)).services;

test.serial('a host with a server stays; without it, it leaves cell1, comes to cell2 and boots there', async t => {
  const nova = novaLab();
  const os = openstack();
  const registrar = await startRealRegistrar(t);
  const host = makeHost(t, 'moved', {registration: 'registrar', conf: registrar.conf, compute: true});
  const {run, journal, killed} = operator(t, registrar.conf);
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

  const before = await still(host.name);
  const dry = await run('move', host.name, '--to', 'cell2', '--dry-run');
  t.is(dry.code, 0, dry.stderr);
  t.like(JSON.parse(dry.stdout).steps[0], {name: 'note', state: 'todo'});
  t.deepEqual(await still(host.name), before, 'a dry run writes nothing');
  t.deepEqual(journal(), []);
  const move = async (stops: RegExp) => {
    const {code, stderr} = await run('move', host.name, '--to', 'cell2');
    t.is(code, 1);
    t.regex(stderr, stops);
  };
  const disabled = {...before, services: before.services.map(row => ({...row, disabled: isCompute(row) ? 1 : 0}))};
  await move(/has servers: .* \(ACTIVE\)/);
  t.deepEqual(await still(host.name), disabled, 'only disabled');
  const state = (name: string) =>
    nova.sql('nova_cell1', `update instances set vm_state = '${name}' where uuid = '${server.id}'`);
  await state('soft-delete');
  await move(/has servers: .* \(SOFT_DELETED\)/);
  await state('active');
  await nova.server.delete(server.id);

  const [migrated, orphan] = [await migration(server.id, host.name), randomUUID()];
  await move(/has migrations in progress: .* \(running\)/);
  await nova.sql('nova_cell1', `update migrations set status = 'completed' where uuid = '${migrated}'`);
  await nova.placement('PUT', `/allocations/${orphan}`, {
    allocations: {[node?.uuid ?? '']: {resources: {VCPU: 1}}},
    project_id: orphan,
    user_id: orphan,
    consumer_generation: null,
    consumer_type: 'INSTANCE',
  });
  await move(/Placement has allocations of 1 consumers/);
  await nova.placement('DELETE', `/allocations/${orphan}`);
  await move(/nova-\S+ and nova-\S+ of .* would make again what is deleted/);
  t.deepEqual(await still(host.name), disabled, 'no guard let anything pass');
  await compute.remove();
  await agent.stop();
  await bothDown(host.name);
  t.true((await killed('move', host.name, '--to', 'cell2')) > 0);
  t.is(journal().length, 1);
  await move(/is not yet in cell cell2/);
  const gone = await rowsOf(nova, host.name);
  t.deepEqual(gone.mappings, []);
  t.true(gone.nodes.every(({deleted}) => deleted !== 0));
  t.true(gone.services.every(({deleted}) => deleted !== 0));
  const providers = await nova.placement<{resource_providers: unknown[]}>(
    'GET',
    `/resource_providers?uuid=${node?.uuid}`,
  );
  t.deepEqual(providers.resource_providers, []);
  await move(/is not yet in cell cell2/);

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
    'the aggregate was noted before it was killed',
  );
  t.deepEqual(journal(), []);
  const booted = await nova.server.create({image: image.id, host: host.name});
  t.like(booted, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host.name}, booted.fault?.message);
  await nova.server.delete(booted.id);
  t.deepEqual((await rowsOf(nova, host.name, 'cell2')).mappings, [
    {host: host.name, cell: nova.state.cells[1]?.uuid ?? ''},
  ]);
});

test.serial('a host of a staging cell is disabled there, is moved to cell2, and boots there', async t => {
  const nova = novaLab();
  const os = openstack();
  const registrar = await startRealRegistrar(t, 'staging_cells = cell1\n');
  const conf = {registration: 'registrar' as const, conf: registrar.conf, compute: true};
  const host = makeHost(t, 'staged', conf);
  const {run} = operator(t, registrar.conf);
  const agent = await host.start();
  await host.becomes('registered', /staging cell, and .* has no nova-compute yet/);
  t.deepEqual((await still(host.name)).mappings, []);
  const compute = await nova.startCompute({host: host.name, driver: 'fake', map: false});
  t.teardown(compute.remove);
  await host.becomes('mapped');
  const staged = await still(host.name);
  t.like(staged.mappings, [{cell: nova.state.cells[0]?.uuid}]);
  t.deepEqual(staged.services.map(row => `${row['binary']} ${row['disabled']}`).sort(), [
    'nova-cellar-agent 0',
    'nova-compute 1',
  ]);
  t.regex((await hostServices(host.name)).map(({disabled_reason}) => disabled_reason).join(), /staging cell cell1/);
  t.deepEqual(
    registrar.audit(host.name).map(({event}) => event),
    ['service-disabled', 'host-mapped'],
  );
  await compute.remove();
  await agent.stop();
  await bothDown(host.name);
  t.regex((await run('move', host.name, '--to', 'cell2')).stderr, /is not yet in cell cell2/);
  t.deepEqual((await still(host.name)).mappings, []);

  rmSync(compute.dir, {recursive: true, force: true});
  const there = makeHost(t, 'staged', {...conf, name: host.name, cell: 'cell2'});
  await there.start();
  await there.becomes('mapped');
  const second = await nova.startCompute({host: host.name, driver: 'fake', cell: 'cell2', map: false});
  t.teardown(second.remove);
  const done = await run('move', host.name, '--to', 'cell2');
  t.is(done.code, 0, done.stderr);
  const image = await os.uploadImage({bytes: Buffer.alloc(1 << 20)});
  t.teardown(() => os.deleteImage(image.id));
  const booted = await nova.server.create({image: image.id, host: host.name});
  t.like(booted, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host.name}, booted.fault?.message);
  await nova.server.delete(booted.id);
});

test.serial(
  'a host that only leaves is released, though the command is killed at every step; status says so',
  async t => {
    const nova = novaLab();
    const registrar = await startRealRegistrar(t);
    const host = makeHost(t, 'released', {registration: 'registrar', conf: registrar.conf, compute: true});
    const {run, journal, killed} = operator(t, registrar.conf);
    const agent = await host.start();
    await host.becomes('mapped');
    const compute = await nova.startCompute({host: host.name, driver: 'fake', map: false});
    t.teardown(compute.remove);
    const status = JSON.parse((await run('status', host.name)).stdout);
    t.like(status, {host: host.name, mapped: {name: 'cell1'}, servers: [], migrations: []});
    t.true((await killed('release', host.name)) > 0);
    t.is(journal().length, 1);
    await compute.remove();
    await agent.stop();
    await bothDown(host.name);
    t.true((await killed('release', host.name)) > 0);
    const released = await run('release', host.name);
    t.is(released.code, 0, released.stderr);
    t.deepEqual((await rowsOf(nova, host.name)).mappings, []);
    t.like(JSON.parse((await run('status', host.name)).stdout), {mapped: null, services: [], nodes: [], providers: []});
  },
);
