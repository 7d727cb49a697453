import test from 'ava';
import {novaLab} from '../../lab/nova/shared.ts';
import {everything, makeHost, rowsOf, withApiDatabase} from './host.ts';

withApiDatabase(test);

test.serial('a host that claims another cell than the one it is in is refused, and nothing is written', async t => {
  const nova = novaLab();
  const before = await everything(nova);
  const host = makeHost(t, 'reg-wrong-cell', {conf: 'name = cell2'});
  const agent = await host.start();
  const {why, hint} = await host.becomes('refused');
  t.regex(why ?? '', /^\[cell\] says cell2, this host's message bus is that of cell cell1 \(/);
  t.regex(hint ?? '', /nothing was mapped/);
  const refused = await agent.waitForLog(({event, state}) => event === 'registration-changed' && state === 'refused');
  t.is(refused['level'], 50, 'an error');
  t.deepEqual(await everything(nova), before);
  t.is(host.computeId(), undefined);
  t.is((await host.cellar('image', 'list')).code, 0, 'it serves all the same');
});

test.serial('a host whose Ceph is not the expected one is refused, and nothing is written', async t => {
  const nova = novaLab();
  const before = await everything(nova);
  const fsid = 'ffffffff-0000-4000-8000-000000000000';
  const host = makeHost(t, 'reg-wrong-ceph', {conf: `expected_fsid = ${fsid}`});
  await host.start();
  const {why} = await host.becomes('refused');
  t.regex(why ?? '', new RegExp(`leads to the cluster [0-9a-f-]{36}, but \\[cell\\] expected_fsid is ${fsid}`));
  t.deepEqual(await everything(nova), before);
});

test.serial(
  'a conductor without the API database: the host is told which road is left, and nothing is written',
  async t => {
    const nova = novaLab();
    await nova.startConductor('cell1');
    t.teardown(() => nova.startConductor('cell1', {apiDatabase: true}).then(() => undefined));
    const before = await everything(nova);
    const host = makeHost(t, 'reg-no-api');
    await host.start();
    const {why, hint} = await host.becomes('refused');
    t.is(why, "the conductor of this host's cell has no [api_database]: it cannot map hosts");
    t.regex(hint ?? '', /registration = record .*discover_hosts.*\[api_database\] connection/);
    t.deepEqual(await everything(nova), before);
  },
);

test.serial('registration = record needs no API database: discover_hosts maps what the agent has made', async t => {
  const nova = novaLab();
  const host = makeHost(t, 'reg-record', {registration: 'record'});
  const agent = await host.start();
  const {node} = await host.becomes('registered');
  const {nodes, mappings} = await rowsOf(nova, host.name);
  t.like(nodes, [{uuid: node?.uuid, mapped: 0}]);
  t.deepEqual(mappings, []);
  t.is(await agent.stop(), 0);
  await nova.discoverHosts();
  const after = await rowsOf(nova, host.name);
  t.like(after.nodes, [{uuid: node?.uuid, mapped: 1}]);
  t.is(after.mappings.length, 1);
});

test.serial(
  'a host that is mapped to another cell: both cells and the command are named; once it is mended, it is mapped',
  async t => {
    const nova = novaLab();
    const [cell1, cell2] = nova.state.cells;
    const host = makeHost(t, 'reg-elsewhere');
    await nova.sql(
      'nova_api',
      `insert into host_mappings (created_at, cell_id, host) select now(), id, '${host.name}' from cell_mappings where uuid = '${cell2?.uuid}'`,
    );
    const before = await everything(nova);
    const agent = await host.start();
    const {why, hint} = await host.becomes('refused');
    t.is(why, `host ${host.name} is in cell cell1 (${cell1?.uuid}) and mapped to cell cell2 (${cell2?.uuid})`);
    t.deepEqual(await everything(nova), before);
    const [, command = ''] = /`nova-manage ([^`]*)`/.exec(hint ?? '') ?? [];
    t.is(await agent.stop(), 0);
    await nova.manage(...command.split(' '));
    await host.start();
    await host.becomes('mapped');
    t.deepEqual((await rowsOf(nova, host.name)).mappings, [{host: host.name, cell: cell1?.uuid ?? ''}]);
  },
);

test.serial("the uuid of another host's compute node is refused, and that record stays as it is", async t => {
  const nova = novaLab();
  const first = makeHost(t, 'reg-twin-1');
  await first.start();
  const {node} = await first.becomes('mapped');
  const record = await nova.sql('nova_cell1', `select * from compute_nodes where uuid = '${node?.uuid}'`);
  const before = await everything(nova);
  const second = makeHost(t, 'reg-twin-2');
  second.writeComputeId(node?.uuid ?? '');
  await second.start();
  const {why, hint} = await second.becomes('refused');
  t.is(why, `compute_id says ${node?.uuid}, which is the compute node of host ${first.name}`);
  t.regex(hint ?? '', /remove its compute_id/);
  t.deepEqual(await everything(nova), before);
  t.deepEqual(await nova.sql('nova_cell1', `select * from compute_nodes where uuid = '${node?.uuid}'`), record);
});

test.serial('a record that was deleted is restored under the same uuid, and mapped again', async t => {
  const nova = novaLab();
  const host = makeHost(t, 'reg-restored');
  const agent = await host.start();
  const {node} = await host.becomes('mapped');
  t.is(await agent.stop(), 0);
  await nova.sql(
    'nova_cell1',
    `update compute_nodes set deleted = id, deleted_at = now() where uuid = '${node?.uuid}'`,
  );
  await nova.sql('nova_api', `delete from host_mappings where host = '${host.name}'`);
  await host.start();
  await host.becomes('mapped');
  const {nodes, mappings} = await rowsOf(nova, host.name);
  t.like(nodes, [{uuid: node?.uuid, deleted: 0, mapped: 1}]);
  t.is(nodes.length, 1);
  t.is(mappings.length, 1);
});

test.serial(
  'a record that was mapped once and deleted since is one that discover_hosts finds when it is restored',
  async t => {
    const nova = novaLab();
    const host = makeHost(t, 'reg-rediscovered', {registration: 'record'});
    const agent = await host.start();
    const {node} = await host.becomes('registered');
    t.is(await agent.stop(), 0);
    await nova.discoverHosts();
    const first = await rowsOf(nova, host.name);
    t.like(first.nodes, [{uuid: node?.uuid, deleted: 0, mapped: 1}]);
    t.is(first.mappings.length, 1);
    // As with its nova-compute's service: the mapping goes, and the record keeps that it had one.
    await nova.sql(
      'nova_cell1',
      `update compute_nodes set deleted = id, deleted_at = now() where uuid = '${node?.uuid}'`,
    );
    await nova.sql('nova_api', `delete from host_mappings where host = '${host.name}'`);
    const again = await host.start();
    await host.becomes('registered');
    t.is(await again.stop(), 0);
    const restored = await rowsOf(nova, host.name);
    t.deepEqual(
      restored.nodes,
      first.nodes.map(row => ({...row, mapped: 0})),
      'the same row',
    );
    t.deepEqual(restored.mappings, []);
    await nova.discoverHosts();
    const found = await rowsOf(nova, host.name);
    t.deepEqual([found.nodes, found.mappings], [first.nodes, first.mappings]);
  },
);
