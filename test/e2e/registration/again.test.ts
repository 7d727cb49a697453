import test from 'ava';
import {hostFacts} from '../../../src/nova/host-facts.ts';
import {mapHost} from '../../../src/nova/mapping.ts';
import {register} from '../../../src/nova/register.ts';
import {novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {openstack} from '../../lab/shared.ts';
import {clientOf, everything, type Host, makeHost, rowsOf, withApiDatabase} from './host.ts';

withApiDatabase(test);

const signal = () => AbortSignal.timeout(120_000);

test.serial('started 20 times, killed every other time: one record, one mapping, one service', async t => {
  const nova = novaLab();
  const host = makeHost(t, 'reg-again');
  let first: Awaited<ReturnType<typeof rowsOf>> | undefined;
  let counted = 0;
  for (let round = 0; round < 20; round += 1) {
    const agent = await host.start();
    const {node} = await host.becomes('mapped');
    const rows = await waitFor('a sign of life', async () => {
      const now = await rowsOf(nova, host.name);
      if (Number(now.services[0]?.['report_count'] ?? 0) <= counted) throw new Error('none');
      return now;
    });
    counted = Number(rows.services[0]?.['report_count']);
    first ??= rows;
    t.is(node?.uuid, host.computeId());
    t.deepEqual(rows.nodes, first.nodes);
    t.deepEqual(rows.mappings, first.mappings);
    t.is(rows.services.length, 1);
    t.is(rows.services[0]?.['id'], first.services[0]?.['id']);
    if (round % 2 === 0) await agent.kill();
    else t.is(await agent.stop(), 0);
  }
  t.is(first?.nodes.length, 1);
  t.is(first?.mappings.length, 1);
});

test.serial('RabbitMQ is down when the agent starts: it serves disks, and registers when RabbitMQ is back', async t => {
  const nova = novaLab();
  const host = makeHost(t, 'reg-no-rabbit');
  await nova.stopRabbit();
  let up = false;
  const start = async () => {
    if (up) return;
    up = true;
    await nova.startRabbit();
  };
  t.teardown(start);
  await host.start();
  const image = await openstack().uploadImage({bytes: Buffer.alloc(1 << 20, 7)});
  t.teardown(() => openstack().deleteImage(image.id));
  const made = await host.cellar('disk', 'create', `vms/${host.name}_disk`, '--image', image.id);
  t.is(made.code, 0, made.stderr);
  t.is((await host.cellar('disk', 'delete', `vms/${host.name}_disk`)).code, 0);
  t.is((await host.registration()).state, 'waiting');
  t.deepEqual((await rowsOf(nova, host.name)).services, []);
  await start();
  await host.becomes('mapped');
  t.is((await rowsOf(nova, host.name)).mappings.length, 1);
});

test.serial('a service row that an operator deleted is made again', async t => {
  const nova = novaLab();
  const host = makeHost(t, 'reg-row');
  await host.start();
  await host.becomes('mapped');
  await nova.sql('nova_cell1', `update services set deleted = id, deleted_at = now() where host = '${host.name}'`);
  await waitFor('another row', async () => {
    const living = (await rowsOf(nova, host.name)).services.filter(({deleted}) => deleted === 0);
    if (living.length !== 1 || Number(living[0]?.['report_count']) < 1) throw new Error('none yet');
  });
  t.is((await host.registration()).state, 'mapped');
});

/** Registers and maps as an agent does, with a connection of its own. */
async function enter(t: Parameters<typeof clientOf>[0], {name, statePath}: Host, map = true): Promise<string> {
  const nova = novaLab();
  const {cell, api, rpc} = clientOf(t, nova);
  const recorder = {
    cell,
    host: name,
    identity: {configFiles: [], statePath},
    ratios: {},
    nodeName: async () => ({name, by: 'configuration' as const}),
    facts: (soon: AbortSignal) => hostFacts({myIp: '127.0.0.1', room: async () => undefined}, soon),
  };
  try {
    const {node} = await register(recorder, signal());
    if (!map) return node.uuid;
    const to = (await api.cells(signal())).find(one => one.name === 'cell1');
    if (to === undefined) throw new Error('there is no cell1');
    return await mapHost({api, cell}, {host: name, uuid: node.uuid, to}, signal());
  } finally {
    await rpc.close();
  }
}

test.serial(
  'discover_hosts and twelve hosts that map themselves, each twice at once: one mapping each, to the right cell',
  async t => {
    const nova = novaLab();
    const hosts = Array.from({length: 12}, (_, n) => makeHost(t, `reg-race-${n}`));
    for (const host of hosts) await enter(t, host, false);
    const before = await everything(nova);
    const discovered = nova.discoverHosts().catch((error: Error) => error.message);
    // Spread over the seconds that nova-manage takes, so that some are before it, some after it and some at once.
    const outcomes = await Promise.all(
      hosts.map(async (host, n) => {
        await new Promise(resolve => setTimeout(resolve, n * 500));
        return Promise.all([enter(t, host), enter(t, host)]);
      }),
    );
    const said = await discovered;
    t.log(`discover_hosts made ${said.match(/Creating host mapping/g)?.length ?? 0} of them`);
    for (const pair of outcomes) t.true(pair.filter(outcome => outcome === 'created').length <= 1, pair.join());
    const after = await everything(nova);
    t.is(after.nodes.length, before.nodes.length);
    for (const host of hosts) {
      const {nodes, mappings} = await rowsOf(nova, host.name);
      t.like(nodes, [{mapped: 1, deleted: 0}]);
      t.is(nodes.length, 1);
      t.deepEqual(mappings, [{host: host.name, cell: nova.state.cells[0]?.uuid ?? ''}]);
    }
  },
);

test.serial('two agents of one host register it at once: one record, by one of them', async t => {
  const nova = novaLab();
  for (let round = 0; round < 10; round += 1) {
    const host = makeHost(t, `reg-pair-${round}`);
    const outcomes = await Promise.allSettled([enter(t, host), enter(t, host), enter(t, host)]);
    t.true(outcomes.some(({status}) => status === 'fulfilled'));
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') t.regex(String(outcome.reason), /appeared|has just made/);
    const {nodes, mappings} = await rowsOf(nova, host.name);
    t.is(nodes.length, 1);
    t.is(nodes[0]?.['uuid'], host.computeId());
    t.is(mappings.length, 1);
  }
});

test.serial('a record that is not in the cell is not mapped to it', async t => {
  const nova = novaLab();
  const {api, cell} = clientOf(t, nova);
  const host = makeHost(t, 'reg-claims');
  await enter(t, host, false);
  const uuid = host.computeId() ?? '';
  const before = await everything(nova);
  const cells = await api.cells(signal());
  const [one, two] = ['cell1', 'cell2'].map(name => cells.find(each => each.name === name));
  if (one === undefined || two === undefined) throw new Error('two cells are needed');
  t.false(JSON.stringify(cells).includes('nova:'), 'no login is kept');
  const elsewhere = clientOf(t, nova, 'cell2').cell;
  await t.throwsAsync(mapHost({api, cell: elsewhere}, {host: host.name, uuid, to: two}, signal()), {
    message: /is not mapped to cell cell2 .*is not in its database/,
  });
  await t.throwsAsync(mapHost({api, cell}, {host: 'reg-claims-other', uuid, to: one}, signal()), {
    message: /is of host reg-claims-\d+ there/,
  });
  t.deepEqual(await everything(nova), before);
});
