import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import type {TokenFacts} from '../../src/keystone/validate.ts';
import type {Cell} from '../../src/nova/cells.ts';
import type {ComputeNode} from '../../src/nova/objects.ts';
import {
  callerOfToken,
  checkRecord,
  chooseForHost,
  claimOf,
  hostsOf,
  isStaging,
  mayRegister,
  planStaging,
  stagingReason,
  strayStaging,
} from '../../src/registrar/policy.ts';

const uuids = {
  cell0: '00000000-0000-0000-0000-000000000000',
  cell1: 'ce110001-0000-4000-8000-000000000001',
  cell2: 'ce110002-0000-4000-8000-000000000002',
  twin: 'ce110003-0000-4000-8000-000000000003',
};
const bus = (virtualHost: string) => ({servers: ['rabbit:5672'], virtualHost});
const cell = (name: keyof typeof uuids, virtualHost: string | undefined = name, called: string = name): Cell => ({
  id: 1,
  uuid: uuids[name],
  name: called,
  disabled: false,
  bus: virtualHost === undefined ? undefined : bus(virtualHost),
});
const cell0 = {...cell('cell0'), bus: undefined};
const both = [cell0, cell('cell1'), cell('cell2')];

function refusal(act: () => unknown): Pick<CellarError, 'kind' | 'message' | 'hint'> | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof CellarError) return {kind: error.kind, message: error.message, hint: error.hint};
    throw error;
  }
  return undefined;
}

const home = {id: 'default', name: 'Default'};
const token = (roles: string[], project?: TokenFacts['project']): TokenFacts => ({
  user: {id: 'u1', name: 'nova', domain: home},
  project,
  roles,
});
const service = {id: 'p1', name: 'service', domain: home};

test('a token counts by its roles, and by its project where projects are named', t => {
  const domain = 'default';
  const rules = {roles: ['service', 'cellar'], projects: [], domain};
  t.deepEqual(callerOfToken(token(['member', 'service'], service), rules), {
    by: 'user nova (Default) in project service (Default)',
  });
  t.deepEqual(callerOfToken(token(['cellar']), rules), {by: 'user nova (Default)'});
  for (const roles of [[], ['admin'], ['Service'], ['servicex']])
    t.is(refusal(() => callerOfToken(token(roles, service), rules))?.kind, 'forbidden', roles.join());
  for (const projects of [['service'], ['p1'], ['other', 'p1']])
    t.notThrows(() => callerOfToken(token(['service'], service), {roles: ['service'], projects, domain}));
  for (const facts of [token(['service']), token(['service'], {id: 'p2', name: 'demo', domain: home})])
    t.is(refusal(() => callerOfToken(facts, {roles: ['service'], projects: ['service'], domain}))?.kind, 'forbidden');
  t.is(refusal(() => callerOfToken(token(['service'], service), {roles: [], projects: [], domain}))?.kind, 'forbidden');
});

test('a project of the same name in another domain is another project, and told so', t => {
  const theirs = {id: 'd2', name: 'Tenants'};
  const rules = (projects: string[], domain = 'default') => ({roles: ['service'], projects, domain});
  const may = (domain: typeof home | undefined, given: ReturnType<typeof rules>) =>
    refusal(() => callerOfToken(token(['service'], {id: 'p2', name: 'service', domain}), given));
  t.is(may(theirs, rules(['service']))?.kind, 'forbidden');
  t.regex(
    may(theirs, rules(['service']))?.message ?? '',
    /^user nova \(Default\) in project service \(Tenants\) is not/,
  );
  t.regex(
    may(theirs, rules(['service'], 'Services'))?.hint ?? '',
    /names there are of domain Services; ids are of any$/,
  );
  t.is(may(undefined, rules(['service']))?.kind, 'forbidden');
  t.is(may({id: 'service', name: 'service'}, rules(['service']))?.kind, 'forbidden');
  t.is(may(theirs, rules(['p2'])), undefined, 'an id is of one project only');
  for (const domain of ['default', 'Default', 'DEFAULT'])
    t.is(may(home, rules(['service'], domain)), undefined, domain);
  for (const domain of ['d2', 'Tenants']) t.is(may(theirs, rules(['service'], domain)), undefined, domain);
  t.is(may(home, rules(['service'], 'Tenants'))?.kind, 'forbidden');
});

test('a certificate is of the DNS names in it, or of its common name without any; a wildcard is of nobody', t => {
  for (const [certificate, hosts] of [
    [{subject: {CN: 'compute-1'}}, ['compute-1']],
    [
      {subject: {CN: 'compute-1'}, subjectaltname: 'DNS:compute-2, DNS:Compute-3.Example'},
      ['compute-2', 'compute-3.example'],
    ],
    [{subject: {CN: 'compute-1'}, subjectaltname: 'IP Address:10.0.0.1'}, ['compute-1']],
    [{subject: {CN: 'compute-1'}, subjectaltname: 'DNS:*.example'}, []],
    [{subject: {CN: '*.example'}}, []],
    [{subject: {}}, []],
    [{}, []],
    [{subject: {CN: ['a', 'b']}}, ['a', 'b']],
    // Node quotes a name with a comma in it, so that it cannot pretend to be two.
    [{subject: {CN: 'x'}, subjectaltname: 'DNS:"evil, DNS:compute-1"'}, []],
  ] as const) {
    t.deepEqual(hostsOf(certificate as Parameters<typeof hostsOf>[0]), [...hosts], JSON.stringify(certificate));
  }
});

test('who has a certificate of a host registers that host and no other', t => {
  const caller = {by: 'certificate compute-1', hosts: ['compute-1']};
  t.notThrows(() => mayRegister(caller, 'compute-1'));
  t.notThrows(() => mayRegister(caller, 'COMPUTE-1'));
  t.notThrows(() => mayRegister({by: 'user nova'}, 'whatever'));
  for (const host of ['compute-2', 'compute-1.example', 'compute', ''])
    t.is(refusal(() => mayRegister(caller, host))?.kind, 'forbidden', host);
  t.is(refusal(() => mayRegister({by: 'x', hosts: []}, 'compute-1'))?.kind, 'forbidden');
});

test('a claim is a uuid or a name', t => {
  t.deepEqual(claimOf(null), {});
  t.deepEqual(claimOf(uuids.cell1), {uuid: uuids.cell1});
  t.deepEqual(claimOf('cell1'), {name: 'cell1'});
});

test('the cell of a host: its claim, else that of its bus, else the default, else the only one', t => {
  const says = (text: string | null, virtualHost?: string) => ({
    host: 'compute-1',
    cell: text,
    bus: virtualHost === undefined ? null : bus(virtualHost),
  });
  const one = [cell0, cell('cell1')];
  for (const [said, cells, fallback, chosen] of [
    [says('cell1'), both, undefined, 'cell1'],
    [says(uuids.cell2), both, undefined, 'cell2'],
    [says(uuids.cell2.toUpperCase()), both, undefined, 'cell2'],
    [says('cell1', 'cell1'), both, undefined, 'cell1'],
    [says('cell1', 'another name of the bus'), both, undefined, 'cell1'],
    [says(null, 'cell2'), both, 'cell1', 'cell2'],
    [says(null, 'unknown'), both, 'cell1', 'cell1'],
    [says(null), both, uuids.cell2, 'cell2'],
    [says(null), one, undefined, 'cell1'],
    [says(null, 'unknown'), one, undefined, 'cell1'],
  ] as const) {
    t.is(chooseForHost(said, cells, fallback).uuid, uuids[chosen], JSON.stringify([said, fallback]));
  }
});

test('a claim that cannot be, or that the bus contradicts, is a conflict', t => {
  const says = (text: string | null, virtualHost?: string) => ({
    host: 'compute-1',
    cell: text,
    bus: virtualHost === undefined ? null : bus(virtualHost),
  });
  const twins = [cell('cell1', 'cell1', 'same'), cell('twin', 'twin', 'same')];
  const shared = [cell('cell1', 'one'), cell('cell2', 'one')];
  for (const [said, cells, fallback, message] of [
    [says('cell3'), both, undefined, /^compute-1 says it is in cell3, which is not among cell cell1 .*, cell cell2/],
    [says(uuids.cell0), both, undefined, /is not among/],
    [says('cell0'), both, undefined, /is not among/],
    [says('cell1', 'cell2'), both, undefined, /says it is in cell cell1 .*message bus is that of cell cell2/],
    [says('same'), twins, undefined, /is the name of several cells/],
    [says(null, 'one'), shared, undefined, /is that of several cells/],
    [says(null, 'one'), shared, 'cell1', /is that of several cells/],
    [says(null), both, undefined, /says no cell, and its message bus is that of none of/],
    [says(null), both, 'cell3', /default_cell is cell3, which is not among/],
    [says(null), [cell0], undefined, /none of no cells/],
  ] as const) {
    const refused = refusal(() => chooseForHost(said, cells, fallback));
    t.is(refused?.kind, 'conflict');
    t.regex(refused?.message ?? '', message);
  }
});

const record: ComputeNode = {
  id: 7,
  uuid: 'aaaaaaaa-0000-4000-8000-000000000001',
  host: 'compute-1',
  hypervisor_hostname: 'compute-1.example',
  mapped: 0,
  deleted: false,
};

test("the cell's own database decides: host, node and uuid must be of one living record there", t => {
  const asked = {host: 'compute-1', node: 'compute-1.example', uuid: record.uuid, cell: null, bus: null};
  t.notThrows(() => checkRecord(record, asked, cell('cell1')));
  for (const [found, message] of [
    [undefined, /is not in its database/],
    [{...record, deleted: true}, /is not in its database/],
    [{...record, host: 'compute-2'}, /is node compute-1.example of host compute-2 there/],
    [{...record, host: null}, /of host null there/],
    [{...record, hypervisor_hostname: 'other'}, /is node other of host compute-1 there, not node compute-1.example/],
  ] as const) {
    const refused = refusal(() => checkRecord(found, asked, cell('cell1')));
    t.is(refused?.kind, 'conflict');
    t.regex(refused?.message ?? '', message);
  }
});

test('a host in a staging cell: its nova-compute is disabled, and waited for where it is not there', t => {
  t.true(isStaging(cell('cell1'), ['x', 'cell1']));
  t.true(isStaging(cell('cell1'), [uuids.cell1]));
  t.false(isStaging(cell('cell1'), ['cell2', uuids.cell2]));
  t.false(isStaging(cell('cell1'), []));
  t.deepEqual(strayStaging(both, ['cell1', uuids.cell2.toUpperCase()]), []);
  t.deepEqual(strayStaging(both, ['cel1', 'cell2', uuids.twin, uuids.cell0]), ['cel1', uuids.twin, uuids.cell0]);
  t.is(planStaging(undefined), 'wait');
  t.is(planStaging({disabled: false}), 'disable');
  t.is(planStaging({disabled: true}), 'done');
  t.true(stagingReason({name: 'n'.repeat(255), uuid: uuids.cell1}).length <= 255);
  t.regex(stagingReason({name: '', uuid: uuids.cell1}), new RegExp(uuids.cell1));
});
