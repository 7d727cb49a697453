import test from 'ava';
import {ApiDatabase} from '../../src/nova/api-database.ts';
import {busOf} from '../../src/nova/bus.ts';
import {CellDatabase} from '../../src/nova/cell-database.ts';
import {findCell} from '../../src/nova/mapping.ts';
import {fails} from '../helpers/fails.ts';
import {ApiTables, CellTables, cellRow, conductorOf} from '../registrar/nova.ts';

test('the first host of cells with the same message bus is in the cell it was mapped to by hand, and else in none', async t => {
  const [api, cell] = [new ApiTables(), new CellTables()];
  const one = cellRow(1, 'cell1');
  api.cells.push(one, {...cellRow(2, 'cell2'), transport_url: one.transport_url});
  const mapper = {api: new ApiDatabase(conductorOf({api})), cell: new CellDatabase(conductorOf({cell}))};
  const place = {host: 'compute-1', claim: {name: 'cell1'}, bus: busOf(one.transport_url)};
  const find = () => findCell(mapper, place, AbortSignal.timeout(10_000));
  await fails(t, find(), 'conflict', /have the same message bus, and no host there is mapped yet$/);
  api.mappings.set('compute-1', one.uuid);
  t.is((await find()).uuid, one.uuid);
  api.mappings.clear();
  api.mappings.set('compute-2', one.uuid);
  const uuid = 'aaaaaaaa-0000-4000-8000-000000000002';
  cell.nodes.push({id: 1, uuid, host: 'compute-2', hypervisor_hostname: 'compute-2', mapped: 1});
  t.is((await find()).uuid, one.uuid, 'as a host of the same database is');
});
