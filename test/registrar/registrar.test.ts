import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {ApiDatabase} from '../../src/nova/api-database.ts';
import {CellDatabase} from '../../src/nova/cell-database.ts';
import type {Conductor} from '../../src/oslo/conductor.ts';
import {type Change, Registrar} from '../../src/registrar/registrar.ts';
import {fails} from '../helpers/fails.ts';
import {ApiTables, CellTables, cellRow, conductorOf, password, type Seen} from './nova.ts';

const uuid = 'aaaaaaaa-0000-4000-8000-000000000001';
const [cell1, cell2] = [cellRow(1, 'cell1'), cellRow(2, 'cell2')];
const request = {host: 'compute-1', node: 'compute-1.example', uuid, cell: null, bus: null};
const bus = (virtualHost: string) => ({servers: ['127.0.0.1:5672'], virtualHost});

/** Two cells, compute-1 in the first of them; `down` makes every call of a cell fail. */
function setUp({
  stagingCells = [] as string[],
  down,
  lost = () => undefined,
}: {
  stagingCells?: string[];
  down?: () => Error | undefined;
  /** Thrown after a write was done: its answer did not come. */
  lost?: (call: string) => Error | undefined;
} = {}) {
  const api = new ApiTables();
  api.cells.push(cell1, cell2);
  const tables = {[cell1.uuid]: new CellTables(), [cell2.uuid]: new CellTables()};
  const first = tables[cell1.uuid] as CellTables;
  first.nodes.push({id: 7, uuid, host: 'compute-1', hypervisor_hostname: 'compute-1.example', mapped: 0});
  const seen: Seen[] = [];
  const changes: Change[] = [];
  const database = new ApiDatabase(losing(conductorOf({api}, seen), lost));
  const registrar = new Registrar({
    api: database,
    cells: {
      use: async (cell, _signal, act) => {
        const mine = tables[cell.uuid];
        if (mine === undefined) throw new Error('no such cell');
        return act(new CellDatabase(losing(conductorOf({cell: mine}, seen, down), lost)));
      },
    },
    rules: {defaultCell: undefined, stagingCells},
  });
  const asked = {
    caller: {by: 'user nova'},
    signal: AbortSignal.timeout(10_000),
    audit: (change: Change) => changes.push(change),
  };
  const writes = () => seen.filter(({call}) => /\.(create|save|destroy)$/.test(call)).map(({call}) => call);
  return {api, first, tables, registrar, asked, changes, seen, writes};
}

function losing(conductor: Conductor, lost: (call: string) => Error | undefined): Conductor {
  const action: Conductor['action'] = async (draft, method, ...rest) => {
    const answer = await conductor.action(draft, method, ...rest);
    const error = lost(`${draft.of.name}.${method}`);
    if (error !== undefined) throw error;
    return answer;
  };
  return {classAction: conductor.classAction, action} as Conductor;
}

test('a host is mapped to the cell whose database holds it, once; each change is audited once', async t => {
  const {api, first, registrar, asked, changes, writes} = setUp();
  const place = {...request, bus: bus('cell1')};
  t.deepEqual(await registrar.findCell(place, asked), {
    schema: 1,
    host: 'compute-1',
    cell: {name: 'cell1', uuid: cell1.uuid},
  });
  t.deepEqual(writes(), [], 'asking writes nothing');
  const answer = {
    schema: 1,
    host: 'compute-1',
    node: 'compute-1.example',
    uuid,
    cell: {name: 'cell1', uuid: cell1.uuid},
  };
  t.deepEqual(await registrar.mapHost(place, asked), {...answer, mapped: 'created'});
  t.is(api.mappings.get('compute-1'), cell1.uuid);
  t.is(first.nodes[0]?.mapped, 1);
  t.deepEqual(await registrar.mapHost(place, asked), {...answer, mapped: 'existing'});
  t.deepEqual(writes(), ['HostMapping.create', 'ComputeNode.save']);
  t.deepEqual(changes, [
    {action: 'host-mapped', host: 'compute-1', node: 'compute-1.example', uuid, cell: answer.cell},
  ]);
  t.deepEqual(await registrar.showHost('compute-1', asked), {schema: 1, host: 'compute-1', cell: answer.cell});
  t.deepEqual(await registrar.showHost('compute-2', asked), {schema: 1, host: 'compute-2', cell: null});
});

test('what is asked for and not so is refused, and nothing is written', async t => {
  const {api, first, registrar, asked, changes, writes} = setUp();
  await fails(t, registrar.mapHost({...request, cell: 'cell2'}, asked), 'conflict', /is not in its database/);
  await fails(t, registrar.mapHost({...request, cell: 'cell1', bus: bus('cell2')}, asked), 'conflict', /message bus/);
  await fails(t, registrar.findCell({...request, cell: 'cell2', bus: bus('cell1')}, asked), 'conflict', /message bus/);
  await fails(
    t,
    registrar.mapHost({...request, cell: 'cell1', host: 'compute-2'}, asked),
    'conflict',
    /of host compute-1/,
  );
  await fails(t, registrar.mapHost({...request, cell: 'cell1', node: 'other'}, asked), 'conflict', /not node other/);
  const only = {...asked, caller: {by: 'certificate compute-2', hosts: ['compute-2']}};
  await fails(t, registrar.mapHost({...request, cell: 'cell1'}, only), 'forbidden', /may not register host compute-1/);
  await fails(t, registrar.findCell({...request, cell: 'cell1'}, only), 'forbidden', /may not register/);
  await fails(t, registrar.showHost('compute-1', only), 'forbidden', /may not register/);
  api.mappings.set('compute-1', cell2.uuid);
  await fails(t, registrar.mapHost({...request, cell: 'cell1'}, asked), 'conflict', /and mapped to cell cell2/);
  await fails(t, registrar.findCell({...request, cell: 'cell1'}, asked), 'conflict', /and mapped to cell cell2/);
  api.mappings.clear();
  first.nodes.push({id: 8, uuid: `${uuid.slice(0, -1)}2`, host: 'old', hypervisor_hostname: 'old', mapped: 1});
  api.mappings.set('old', cell2.uuid);
  await fails(
    t,
    registrar.mapHost({...request, cell: 'cell1'}, asked),
    'conflict',
    /old, which is in the same database/,
  );
  t.deepEqual(writes(), []);
  t.deepEqual(changes, []);
});

test('in a staging cell a host is mapped when its nova-compute is disabled, and not before', async t => {
  const {api, first, registrar, asked, changes, writes} = setUp({stagingCells: ['cell1']});
  const place = {...request, cell: 'cell1'};
  await fails(t, registrar.mapHost(place, asked), 'unavailable', /staging cell, and compute-1 has no nova-compute yet/);
  t.deepEqual(writes(), []);
  t.false(api.mappings.has('compute-1'));
  const compute = {id: 3, uuid: 's', host: 'compute-1', binary: 'nova-compute', disabled: false, disabled_reason: null};
  first.services.push(compute);
  t.is((await registrar.mapHost(place, asked)).mapped, 'created');
  t.deepEqual(writes(), ['Service.save', 'HostMapping.create', 'ComputeNode.save'], 'disabled first');
  t.like(first.services[0], {disabled: true});
  t.regex(String(first.services[0]?.disabled_reason), /staging cell cell1/);
  t.deepEqual(
    changes.map(({action}) => action),
    ['service-disabled', 'host-mapped'],
  );
  await registrar.mapHost(place, asked);
  t.is(writes().length, 3);
});

test('while a staging cell is misspelt no host is mapped: it might be one of those that are to wait', async t => {
  const {registrar, asked, changes, writes} = setUp({stagingCells: ['cell2', 'cel1']});
  const error = await fails(
    t,
    registrar.mapHost({...request, cell: 'cell1'}, asked),
    'unavailable',
    /^the registrar maps no host: its staging_cells name cel1, and there is no such cell$/,
  );
  t.regex(error.hint ?? '', /\[registrar\] staging_cells/);
  t.is((await registrar.findCell({...request, cell: 'cell1'}, asked)).cell.name, 'cell1', 'nothing is written');
  t.deepEqual(writes(), []);
  t.deepEqual(changes, []);
});

test('cells with the same message bus: the first host is mapped by hand, and those after it here', async t => {
  const {api, first, registrar, asked, writes} = setUp();
  api.cells.splice(1, 1, {...cell2, transport_url: cell1.transport_url});
  const place = {...request, cell: 'cell1'};
  await fails(t, registrar.findCell(place, asked), 'conflict', /have the same message bus/);
  await fails(t, registrar.mapHost(place, asked), 'conflict', /have the same message bus/);
  t.deepEqual(writes(), []);
  api.mappings.set('compute-1', cell1.uuid);
  t.is((await registrar.mapHost(place, asked)).mapped, 'existing', 'by hand');
  const second = `${uuid.slice(0, -1)}2`;
  first.nodes.push({id: 8, uuid: second, host: 'compute-2', hypervisor_hostname: 'compute-2.example', mapped: 0});
  const next = {...place, host: 'compute-2', node: 'compute-2.example', uuid: second};
  t.is((await registrar.mapHost(next, asked)).mapped, 'created');
});

test('a change is audited though what follows it fails, and as unknown when its own answer does not come', async t => {
  const place = {...request, cell: 'cell1'};
  const compute = {id: 3, uuid: 's', host: 'compute-1', binary: 'nova-compute', disabled: false, disabled_reason: null};
  for (const [call, kind, audited] of [
    ['ComputeNode.save', 'unavailable', ['service-disabled', 'host-mapped']],
    ['HostMapping.create', 'unavailable', ['service-disabled', 'host-mapped unknown']],
    ['HostMapping.create', 'cancelled', ['service-disabled', 'host-mapped unknown']],
    ['Service.save', 'unavailable', ['service-disabled unknown']],
  ] as const) {
    let left = 1;
    const lost = (called: string) => (called === call && left-- > 0 ? new CellarError(kind, 'gone') : undefined);
    const {first, registrar, asked, changes} = setUp({stagingCells: ['cell1'], lost});
    first.services.push({...compute});
    await fails(t, registrar.mapHost(place, asked), kind, /gone|cannot be asked/);
    const told = () => changes.map(({action, outcome}) => [action, outcome].filter(Boolean).join(' '));
    t.deepEqual(told(), [...audited], call);
    const {mapped} = await registrar.mapHost(place, asked);
    t.is(mapped, call === 'Service.save' ? 'created' : 'existing');
    t.deepEqual(told(), [...audited, ...(mapped === 'created' ? ['host-mapped'] : [])]);
  }
});

test('what is wrong behind the registrar is not told as the fault of the caller, and holds no names of servers', async t => {
  const broken = [
    new CellarError('unauthorized', `RabbitMQ at rabbit-2:5672 refuses nova:${password}`),
    new CellarError('config', 'TLS: cannot read /etc/nova/ca.pem'),
    new CellarError('timeout', 'RPC to conductor: no answer from rabbit-2:5672'),
    new CellarError('forbidden', 'vhost'),
  ];
  for (const cause of broken) {
    const {registrar, asked, writes} = setUp({down: () => cause});
    const error = await fails(
      t,
      registrar.mapHost({...request, cell: 'cell1'}, asked),
      'unavailable',
      /^cell cell1 \(\S+\) cannot be asked now$/,
    );
    t.is(error.cause, cause, 'which the log has');
    t.deepEqual(writes(), []);
  }
});
