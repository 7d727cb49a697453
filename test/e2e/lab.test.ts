/** The lab with Nova itself: what its handles do, and that it leaves nothing behind. */
import {type ChildProcess, spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {firstHost} from '../lab/nova/nova.ts';
import {novaLab, novaLabAt} from '../lab/nova/shared.ts';
import {waitFor} from '../lab/run.ts';
import {openstack, openstackAt} from '../lab/shared.ts';
import {novaDaemons, stateFile} from '../lab/state.ts';

const main = (base: string, ...args: string[]) =>
  spawn(process.execPath, [join(import.meta.dirname, '../lab/main.ts'), ...args, '--base', base], {stdio: 'pipe'});

async function finish(child: ReturnType<typeof main>) {
  const code = new Promise<number | null>(resolve => child.on('close', resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return {code: await code, out, err};
}

const directory = (t: {teardown(fn: () => unknown): void}) => {
  const dir = mkdtempSync(join(tmpdir(), 'lab-'));
  t.teardown(async () => {
    await finish(main(join(dir, 'lab'), 'down'));
    rmSync(dir, {recursive: true, force: true});
  });
  return join(dir, 'lab');
};

/** Processes that have the directory in their command line or environment: Erlang's epmd has it in the latter only. */
const runningIn = (base: string) => processes(['cmdline', 'environ'], base);
const runningWith = (argument: string) => processes(['cmdline'], argument);

const processes = (files: string[], text: string) =>
  readdirSync('/proc').filter(pid => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    return files.some(file => read(`/proc/${pid}/${file}`).includes(text));
  });

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

/** The machine's own files of libvirt and Nova, with the time each was changed. */
const machineFiles = () =>
  ['/etc/libvirt', '/etc/nova', '/var/lib/libvirt'].flatMap(dir =>
    readdirSync(dir, {recursive: true, encoding: 'utf8'}).map(name => {
      const {mtimeMs} = statSync(join(dir, name), {throwIfNoEntry: false}) ?? {};
      return `${join(dir, name)} ${mtimeMs}`;
    }),
  );

async function until(child: ChildProcess, stream: 'stdout' | 'stderr') {
  await Promise.race([
    new Promise(resolve => child[stream]?.once('data', resolve)),
    new Promise((_, reject) => child.once('exit', code => reject(new Error(`it ended with ${code}`)))),
  ]);
}

test('a second lab with Nova runs beside the first, and dies with its keeper, guests included, even by SIGKILL', async t => {
  const base = directory(t);
  const before = machineFiles();
  const keeper = main(base, 'hold', '--nova');
  keeper.stderr.resume();
  await until(keeper, 'stdout');
  const nova = novaLabAt(stateFile(base));
  const image = await openstackAt(stateFile(base)).uploadImage({bytes: randomBytes(1 << 20)});
  const server = await nova.server.create({image: image.id});
  t.is(server.status, 'ACTIVE', server.fault?.message);
  const name = server['OS-EXT-SRV-ATTR:instance_name'];
  t.regex(await nova.compute(firstHost).virsh('domstate', name), /running/);
  t.false((await novaLab().compute(firstHost).virsh('list', '--all', '--uuid')).includes(server.id));
  const names = novaDaemons(base).map(daemon => daemon.name);
  t.true(names.includes('libvirtd') && names.includes('nova-compute'), names.join());
  t.true(runningWith(server.id).length > 0); // QEMU knows its guest's uuid, and nothing of the directory

  keeper.kill('SIGKILL');
  await waitFor('their end', async () => {
    const left = [...runningIn(base), ...runningWith(server.id)].map(pid =>
      read(`/proc/${pid}/cmdline`).replaceAll('\0', ' '),
    );
    if (left.length > 0) throw new Error(`some still run: ${left.join('\n')}`);
  });
  t.is((await finish(main(base, 'down'))).code, 0);
  t.false(existsSync(base));
  t.deepEqual(machineFiles(), before);
});

test('a start that is interrupted leaves nothing', async t => {
  const base = directory(t);
  const starting = main(base, 'hold', '--nova', '--no-compute');
  const result = finish(starting);
  await waitFor('RabbitMQ', async () => {
    if (!novaDaemons(base).some(daemon => daemon.name === 'rabbitmq')) throw new Error('not yet');
  });
  starting.kill('SIGTERM');
  t.like(await result, {code: 1});
  t.deepEqual(runningIn(base), []);
  t.false(existsSync(base));
});

test('a host of cell2 is found by discover_hosts, and a server runs there; conductor and RabbitMQ start again', async t => {
  const nova = novaLab();
  const image = await openstack().uploadImage({bytes: randomBytes(1 << 20)});
  t.teardown(() => openstack().deleteImage(image.id));
  const host = `fake-${randomBytes(3).toString('hex')}`;
  const compute = await nova.startCompute({host, driver: 'fake', cell: 'cell2', map: false});
  t.teardown(compute.remove);
  await t.throwsAsync(nova.server.request({image: image.id, host}), {message: /could not be found/});
  t.regex(await nova.discoverHosts(), new RegExp(host));
  const [mapping] = await nova.sql(
    'nova_api',
    `select name from host_mappings h join cell_mappings c on c.id = h.cell_id where host = '${host}'`,
  );
  t.deepEqual(mapping, {name: 'cell2'});

  const boot = async () => {
    const server = await nova.server.create({image: image.id, host});
    t.is(server.status, 'ACTIVE', server.fault?.message);
    await nova.server.delete(server.id);
  };
  await boot();
  await compute.restart({extra: '[DEFAULT]\nmy_ip = 127.0.0.2'});
  const [node] = await nova.sql('nova_cell2', `select host_ip from compute_nodes where host = '${host}'`);
  t.deepEqual(node, {host_ip: '127.0.0.2'});

  const conductor = await nova.startConductor('cell2', {apiDatabase: true});
  t.teardown(() => nova.startConductor('cell2'));
  t.regex(readFileSync(conductor.conf, 'utf8'), /\[api_database\]/);
  await nova.stopRabbit();
  await nova.startRabbit();
  await boot();
});
