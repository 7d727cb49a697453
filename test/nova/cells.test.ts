import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {busOf, sameBus} from '../../src/nova/bus.ts';
import {type Cell, type Claim, checkAlone, chooseCell, type Sibling} from '../../src/nova/cells.ts';

const uuid = (n: number) => `0000000${n}-0000-4000-8000-00000000000${n}`;
const secret = 'pa55w0rd';
const url = (vhost: string, hosts = 'mq.example') =>
  `rabbit://${hosts
    .split(',')
    .map(one => `nova:${secret}@${one}`)
    .join(',')}/${vhost}`;

const cellOf = (n: number, transport = url(`cell${n}`)): Cell => ({
  id: n,
  uuid: uuid(n),
  name: `cell${n}`,
  disabled: false,
  bus: busOf(transport),
});

const cell0: Cell = {...cellOf(0, 'none:///'), uuid: '00000000-0000-0000-0000-000000000000'};
const cells = [cell0, cellOf(1), cellOf(2)];

const choose = (claim: Claim, ours: string, all = cells, siblings: Sibling[] = []) => {
  try {
    return chooseCell(claim, busOf(ours), all, siblings).uuid;
  } catch (error) {
    if (error instanceof CellarError && error.kind === 'conflict') return `${error.message} | ${error.hint}`;
    throw error;
  }
};

test('a bus is servers and a virtual host, whoever logs in and however the URL is written', t => {
  t.deepEqual(busOf(url('cell1', 'a.example,B.example:5673')), {
    servers: ['a.example:5672', 'b.example:5673'],
    virtualHost: 'cell1',
  });
  t.is(busOf(url('cell1'))?.virtualHost, busOf(url('cell1?ssl=1'))?.virtualHost);
  t.is(busOf('none:///'), undefined);
  t.is(busOf('no url'), undefined);
  t.is(JSON.stringify(busOf(url('x'))).includes(secret), false);
});

test('buses are the same when virtual host and one server are', t => {
  const same = (a: string, b: string) => sameBus(busOf(a) as never, busOf(b) as never);
  t.true(same(url('v', 'a,b'), url('v', 'b,c')));
  t.true(same(url('v', 'a'), url('v', 'A:5672')));
  t.true(same('rabbit://x:y@[2001:db8::1]:5672/v', 'rabbit://[2001:DB8::1]/v'));
  t.false(same(url('v', 'a'), url('w', 'a')));
  t.false(same(url('v', 'a'), url('v', 'a:5673')));
  t.false(same(url('v', 'a'), url('v', 'b')));
  t.true(same(url('', 'a'), url('%2F', 'a')));
});

test('without a claim it is the one cell on our bus', t => {
  t.is(choose({}, url('cell1')), uuid(1));
  t.is(choose({}, url('cell2')), uuid(2));
});

test('a claim by name or uuid that agrees with the bus', t => {
  t.is(choose({name: 'cell1'}, url('cell1')), uuid(1));
  t.is(choose({uuid: uuid(2)}, url('cell2')), uuid(2));
  t.is(choose({name: 'cell2', uuid: uuid(2)}, url('cell2')), uuid(2));
});

test("a claim that names another cell than the bus's is refused, and both are named", t => {
  const answer = choose({name: 'cell2'}, url('cell1'));
  t.regex(answer, /^\[cell\] says cell2, this host's message bus is that of cell cell1 \(/);
  t.regex(answer, /nothing was mapped/);
  t.regex(choose({name: 'cell1', uuid: uuid(2)}, url('cell1')), /^there is no cell cell1, /);
});

test('a claim that names no cell, a bus of no cell, and cell0', t => {
  t.regex(choose({name: 'cell9'}, url('cell1')), /^there is no cell cell9 among cell cell1 \(.*\), cell cell2 \(/);
  t.regex(choose({}, url('cell9')), /message bus is of no cell.*update_cell/);
  t.regex(choose({name: 'cell1'}, url('cell9')), /message bus is not that of cell cell1/);
  t.regex(choose({uuid: cell0.uuid}, url('cell1')), /^there is no cell 00000000/);
  t.regex(choose({}, 'none:///'), /message bus is of no cell/);
});

test('several cells on our bus: only a claim tells which', t => {
  const twins = [...cells, {...cellOf(3), bus: busOf(url('cell1'))}];
  t.regex(choose({}, url('cell1'), twins), /is that of several cells: cell cell1 \(.*\), cell cell3 \(/);
  t.is(choose({name: 'cell3'}, url('cell1'), twins), uuid(3));
});

test('several cells on one bus, and no host of the database is mapped: a claim is no proof', t => {
  const twins = [...cells, {...cellOf(3), bus: busOf(url('cell1'))}];
  const bare = twins.map(cell => ({...cell, bus: undefined}));
  const check =
    (n: number, all: Cell[], siblings: Sibling[] = []) =>
    () =>
      checkAlone(all.find(({id}) => id === n) as Cell, all, siblings);
  for (const n of [1, 3]) {
    const error = t.throws(check(n, twins));
    t.like(error, {kind: 'conflict'});
    t.regex(error.message, /^cell cell1 \(.*\), cell cell3 \(.*\) have the same message bus, and no host/);
    t.notThrows(check(n, twins, [{host: 'a', cell: uuid(n)}]));
  }
  t.notThrows(check(2, twins));
  t.notThrows(check(1, cells));
  t.notThrows(check(1, bare), 'who knows no bus knows of no other');
});

test('hosts of the same database that are mapped elsewhere contradict the bus', t => {
  const sibling = (host: string, n: number) => ({host, cell: uuid(n)});
  t.is(choose({}, url('cell1'), cells, [sibling('a', 1)]), uuid(1));
  t.is(choose({}, url('cell1'), cells, [sibling('a', 2), sibling('b', 1)]), uuid(1), 'one stray mapping is no proof');
  t.regex(
    choose({}, url('cell1'), cells, [sibling('a', 2)]),
    /but a, which is in the same database, is mapped to the cell 00000002/,
  );
});

test('no refusal holds what a transport URL holds', t => {
  for (const claim of [{}, {name: 'cell2'}, {name: 'cell9'}, {uuid: uuid(2)}])
    for (const ours of [url('cell1'), url('cell9')]) t.false(choose(claim, ours).includes(secret));
});
