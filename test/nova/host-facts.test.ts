import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {cpus, tmpdir, totalmem} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {hostAddress} from '../../src/config/host.ts';
import {CellarError} from '../../src/core/errors.ts';
import {hostFacts} from '../../src/nova/host-facts.ts';
import {fullName, nodeName, versionNumber} from '../../src/nova/hypervisor.ts';
import {countOf, hasKvm, processors} from '../../src/nova/machine.ts';
import {run} from '../lab/run.ts';

const signal = AbortSignal.timeout(60_000);
const gib = 1024 ** 3;

test("QEMU's version as Nova counts it", t => {
  t.is(versionNumber('QEMU emulator version 7.2.1 (Debian 1:7.2+dfsg-7+deb12u1)'), 7_002_001);
  t.is(versionNumber('QEMU emulator version 9.1.50'), 9_001_050);
  t.is(versionNumber('QEMU emulator version 8.2'), 8_002_000);
  t.is(versionNumber(''), 0);
});

test("a hypervisor's name by libvirt's rule", t => {
  t.is(fullName('compute-1', 'compute-1.example'), 'compute-1.example');
  t.is(fullName('compute-1.example', 'other.example'), 'compute-1.example');
  t.is(fullName('compute-1', 'localhost.localdomain'), 'compute-1');
  t.is(fullName('compute-1', ''), 'compute-1');
  t.is(fullName('compute-1', undefined), 'compute-1');
  t.is(fullName('localhost', 'compute-1.example'), 'localhost');
});

test('the configured name wins; without a libvirt to ask it is a guess', async t => {
  t.deepEqual(await nodeName('n1', 'qemu:///system', signal), {name: 'n1', by: 'configuration'});
  const guess = await nodeName(undefined, 'qemu+unix:///system?socket=/nowhere', signal);
  t.is(guess.by, 'host');
  t.is(guess.name, fullName((await run('hostname', [])).trim(), (await run('hostname', ['--fqdn'])).trim()));
});

test("a libvirt that answers knows it: the test driver's is this host's name", async t => {
  t.deepEqual(await nodeName(undefined, 'test:///default', signal), {
    name: (await run('virsh', ['-q', '-c', 'test:///default', 'hostname'])).trim(),
    by: 'libvirt',
  });
});

test('the inventory has every column that may not be null, and what this host has', async t => {
  const room = async () => ({used: 1.5 * gib, available: 8.75 * gib});
  const {inventory, unknown} = await hostFacts({myIp: '192.0.2.7', room}, signal);
  t.deepEqual(unknown, []);
  const [, version = ''] = /version ([\d.]+)/.exec(await run('qemu-system-x86_64', ['--version'])) ?? [];
  const [major = 0, minor = 0, micro = 0] = version.split('.').map(Number);
  t.deepEqual(
    {...inventory, supported_hv_specs: inventory.supported_hv_specs.length},
    {
      vcpus: Number((await run('nproc', ['--all'])).trim()),
      memory_mb: Math.floor(totalmem() / 1024 ** 2),
      local_gb: 10,
      vcpus_used: 0,
      memory_mb_used: 0,
      local_gb_used: 2,
      hypervisor_type: 'QEMU',
      hypervisor_version: major * 1_000_000 + minor * 1000 + micro,
      cpu_info: '',
      host_ip: '192.0.2.7',
      supported_hv_specs: 1,
    },
  );
});

test('processors are counted where the kernel lists them, and KVM is looked for there too', t => {
  const root = mkdtempSync(join(tmpdir(), 'cellar-sys-'));
  t.teardown(() => rmSync(root, {recursive: true}));
  t.is(processors(root), cpus().length, 'nothing there');
  t.false(hasKvm(root));
  const cpu = join(root, 'sys/devices/system/cpu');
  mkdirSync(cpu, {recursive: true});
  writeFileSync(join(cpu, 'online'), '0-63,66,80-81\n');
  t.is(processors(root), 67);
  mkdirSync(join(root, 'sys/devices/virtual/misc/kvm'), {recursive: true});
  t.true(hasKvm(root));
  for (const list of ['', '\n', 'all', '1-']) t.is(countOf(list), 0, list);
});

test('the address that Nova would take, as oslo.utils finds it', async t => {
  const said = await run('/usr/bin/python3', ['-c', 'from oslo_utils import netutils; print(netutils.get_my_ipv4())']);
  t.is(hostAddress.value(), said.trim());
});

test('what cannot be found out is 0, and told', async t => {
  const room = async () => {
    throw new CellarError('timeout', 'the cluster does not answer');
  };
  const down = await hostFacts({myIp: 'compute-1', room}, signal);
  t.deepEqual(down.unknown, ["the room in the cell's cluster: the cluster does not answer"]);
  t.is(down.inventory.local_gb, 0);
  t.is(down.inventory.host_ip, null, 'a name is no address');
  const uncounted = await hostFacts({myIp: '::1', room: async () => undefined}, signal);
  t.deepEqual(uncounted.unknown, ["the room in the cell's cluster: it has no ceph-mgr that counts it"]);
});
