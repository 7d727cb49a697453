import {readFileSync} from 'node:fs';
import {totalmem} from 'node:os';
import test from 'ava';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {openstack} from '../../lab/shared.ts';
import {everything, makeHost, rowsOf, withApiDatabase} from './host.ts';

withApiDatabase(test);

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test.serial('a new host is in its cell before nova-compute was ever started, and an instance boots there', async t => {
  const nova = novaLab();
  const os = openstack();
  const host = makeHost(t, 'reg-boots', {compute: true});
  const before = await everything(nova);
  const agent = await host.start();
  const {node, cell} = await host.becomes('mapped');
  const [cell1] = nova.state.cells;
  t.deepEqual(cell, {name: 'cell1', uuid: cell1?.uuid ?? ''});
  t.is(node?.uuid, host.computeId());
  t.regex(node?.uuid ?? '', uuidForm);

  const rows = await waitFor('a sign of life', async () => {
    const now = await rowsOf(nova, host.name);
    if (Number(now.services[0]?.['report_count']) < 2) throw new Error('none');
    return now;
  });
  t.is(rows.nodes.length, 1);
  t.like(rows.nodes[0], {
    uuid: node?.uuid,
    hypervisor_hostname: host.name,
    mapped: 1,
    deleted: 0,
    service_id: null,
    hypervisor_type: 'QEMU',
    cpu_info: '',
    host_ip: '127.0.0.1',
    memory_mb: Math.floor(totalmem() / 1024 ** 2),
    cpu_allocation_ratio: 16,
    ram_allocation_ratio: 1.5,
    disk_allocation_ratio: 1,
  });
  t.true(Number(rows.nodes[0]?.['hypervisor_version']) > 5_000_000);
  t.deepEqual(
    rows.services.map(({binary, topic, disabled, deleted, version}) => ({binary, topic, disabled, deleted, version})),
    [{binary: 'nova-cellar-agent', topic: 'cellar-agent', disabled: 0, deleted: 0, version: 0}],
    'and none of nova-compute',
  );
  t.deepEqual(rows.mappings, [{host: host.name, cell: cell1?.uuid ?? ''}]);
  const after = await everything(nova);
  const others = ({nodes, mappings, services}: typeof after) => ({
    nodes: nodes.filter(row => row['host'] !== host.name),
    mappings: mappings.filter(row => row['host'] !== host.name),
    services: services.filter(row => row['host'] !== host.name),
  });
  t.deepEqual(others(after), others(before), 'nobody else was touched');

  const {services} = await nova.nova<{services: Record<string, unknown>[]}>('GET', `/os-services?host=${host.name}`);
  t.like(services, [{binary: 'nova-cellar-agent', state: 'up', status: 'enabled'}]);
  const {hypervisors} = await nova.nova<{hypervisors: unknown[]}>('GET', '/os-hypervisors/detail');
  t.true(hypervisors.length > 0, 'Nova lists hypervisors, though no nova-compute has started on this one');

  const compute = await nova.startCompute({host: host.name, driver: 'fake', map: false});
  t.teardown(compute.remove);
  const adopted = await rowsOf(nova, host.name);
  t.is(adopted.nodes.length, 1);
  t.like(adopted.nodes[0], {
    id: rows.nodes[0]?.['id'],
    uuid: node?.uuid,
    mapped: 1,
    deleted: 0,
    hypervisor_type: 'fake',
  });
  t.deepEqual(
    adopted.services.map(({binary}) => binary),
    ['nova-cellar-agent', 'nova-compute'],
  );
  t.deepEqual(adopted.mappings, rows.mappings);
  const provider = await waitFor('the resource provider', async () => {
    const found = await nova.placement<{resource_providers: {uuid: string; name: string}[]}>(
      'GET',
      `/resource_providers?name=${host.name}`,
    );
    if (found.resource_providers.length === 0) throw new Error('there is none');
    return found.resource_providers;
  });
  t.like(provider, [{uuid: node?.uuid, name: host.name}]);

  const image = await os.uploadImage({bytes: Buffer.alloc(1 << 20)});
  t.teardown(() => os.deleteImage(image.id));
  const server = await nova.server.create({image: image.id, host: host.name});
  t.like(server, {status: 'ACTIVE', 'OS-EXT-SRV-ATTR:host': host.name}, server.fault?.message);
  await nova.server.delete(server.id);

  t.is(await agent.stop(), 0);
  t.deepEqual((await rowsOf(nova, host.name)).mappings, rows.mappings, 'stopping takes nothing away');
  t.false(
    agent.text.includes(nova.transportUrl('cell1').split('@')[0]?.split(':').at(-1) ?? 'x'),
    'no password is logged',
  );
});

test.serial(
  'an agent that comes to a host with a running nova-compute adopts its record, by the name libvirt gives',
  async t => {
    const nova = novaLab();
    const compute = nova.compute('compute-1');
    const uri = /^connection_uri = (.*)$/m.exec(readFileSync(compute.conf, 'utf8'))?.[1];
    const before = await rowsOf(nova, 'compute-1');
    const host = makeHost(t, 'adopted', {
      name: 'compute-1',
      conf: `[libvirt]\nconnection_uri = ${uri}`,
      node: '',
      compute: true,
    });
    const agent = await host.start();
    const {node} = await host.becomes('mapped');
    t.like(before.nodes, [{uuid: node?.uuid, hypervisor_hostname: node?.name}]);
    const after = await rowsOf(nova, 'compute-1');
    t.is(after.nodes.length, 1);
    t.is(after.nodes[0]?.['id'], before.nodes[0]?.['id']);
    t.deepEqual(after.mappings, before.mappings);
    t.deepEqual(
      after.services.map(({binary}) => binary),
      [...new Set([...before.services.map(({binary}) => binary), 'nova-cellar-agent'])],
    );
    t.is(host.computeId(), undefined, 'the file of an older Nova is for its upgrade to write');
    t.is(await agent.stop(), 0);
  },
);
