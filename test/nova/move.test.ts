import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {
  type MoveFacts,
  type MoveGoal,
  type MoveNote,
  nextStep,
  noteOf,
  planMove,
  reminders,
  type StepName,
} from '../../src/nova/move.ts';
import {carryOut, type MoveActs} from '../../src/nova/moving.ts';
import {fails} from '../helpers/fails.ts';

const cell1 = {name: 'cell1', uuid: 'ce110001-0000-4000-8000-000000000001'};
const cell2 = {name: 'cell2', uuid: 'ce110002-0000-4000-8000-000000000002'};
const node = {name: 'compute-1.example', uuid: 'aaaaaaaa-0000-4000-8000-000000000001'};
const toCell2: MoveGoal = {to: {name: 'cell2'}};
const leave: MoveGoal = {to: undefined};

const service = (binary: string, id: string, more: object = {}) =>
  ({id, binary, state: 'down', status: 'disabled', reason: null, ...more}) as MoveFacts['services'][number];

/** A host that is in cell1, empty, and off. */
const facts: MoveFacts = {
  host: 'compute-1',
  services: [service('nova-compute', 's1'), service('nova-cellar-agent', 's2')],
  servers: [],
  migrations: [],
  aggregates: [{id: 3, name: 'ssd'}],
  nodes: [node],
  providers: [{...node, allocations: 0}],
  mapped: cell1,
  note: undefined,
};
const note: MoveNote = {
  schema: 1,
  host: 'compute-1',
  since: '2026-11-22T00:00:00Z',
  services: ['s1', 's2'],
  nodes: [node],
  aggregates: facts.aggregates,
};
const noted = {...facts, note};
const back = [service('nova-compute', 's8', {state: 'up', status: 'enabled'})];
const more = [...facts.aggregates, {id: 4, name: 'fast'}];
const other = {name: 'compute-1-b.example', uuid: 'aaaaaaaa-0000-4000-8000-000000000002'};
const gone = {...noted, services: [], nodes: [], aggregates: [], providers: [], mapped: null};

test('the next step, by what Nova says', t => {
  const enabled = [service('nova-compute', 's1', {status: 'enabled'})];
  const cases: [string, Partial<MoveFacts>, MoveGoal, StepName | undefined, 'todo' | 'blocked' | undefined][] = [
    ['nothing is done yet', facts, toCell2, 'note', 'todo'],
    ['noted', {...noted, services: enabled}, toCell2, 'disable', 'todo'],
    ['disabled, with a server', {...noted, servers: [{id: 'a', status: 'ACTIVE'}]}, toCell2, 'empty', 'blocked'],
    ['with a server that is off', {...noted, servers: [{id: 'a', status: 'SHUTOFF'}]}, toCell2, 'empty', 'blocked'],
    ['with a migration', {...noted, migrations: [{id: '1', status: 'running'}]}, toCell2, 'empty', 'blocked'],
    ['with a resize to confirm', {...noted, migrations: [{id: '1', status: 'finished'}]}, toCell2, 'empty', 'blocked'],
    ['with allocations', {...noted, providers: [{...node, allocations: 1}]}, toCell2, 'empty', 'blocked'],
    [
      'nova-compute runs',
      {...noted, services: [service('nova-compute', 's1', {state: 'up'})]},
      toCell2,
      'stop',
      'blocked',
    ],
    [
      'the agent runs',
      {...noted, services: [service('nova-compute', 's1'), service('nova-cellar-agent', 's2', {state: 'up'})]},
      toCell2,
      'stop',
      'blocked',
    ],
    ['off', noted, toCell2, 'delete-service', 'todo'],
    [
      'the service is deleted',
      {...noted, services: [service('nova-cellar-agent', 's2')]},
      toCell2,
      'delete-agent-service',
      'todo',
    ],
    ['a provider is left', {...gone, providers: [{...node, allocations: 0}]}, toCell2, 'delete-provider', 'todo'],
    ['the mapping is left', {...gone, mapped: cell1}, toCell2, 'unmap', 'blocked'],
    ['it has left', gone, toCell2, 'arrive', 'blocked'],
    ['it has left, and was only to', gone, leave, undefined, undefined],
    [
      'the agent has registered it there',
      {...gone, services: [service('nova-cellar-agent', 's9')], mapped: cell2},
      toCell2,
      undefined,
      undefined,
    ],
    [
      'it runs there',
      {
        ...gone,
        services: [service('nova-compute', 's8', {state: 'up', status: 'enabled'})],
        servers: [{id: 'a', status: 'ACTIVE'}],
        nodes: [node],
        providers: [{...node, allocations: 1}],
        mapped: cell2,
      },
      toCell2,
      undefined,
      undefined,
    ],
    [
      'it is there already, and nothing was noted',
      {...facts, mapped: cell2, services: enabled},
      toCell2,
      undefined,
      undefined,
    ],
    [
      'it came back to its old cell',
      {...gone, services: [service('nova-compute', 's8', {state: 'up'})], mapped: cell1},
      toCell2,
      'unmap',
      'blocked',
    ],
    ['it came back after it was released', {...gone, services: back, mapped: cell1}, leave, 'note', 'blocked'],
    ['it came back, and is not mapped', {...gone, services: back}, leave, 'note', 'blocked'],
    ['it came back beside what is to go', {...noted, services: [...facts.services, ...back]}, leave, 'note', 'blocked'],
    [
      'its agent came back',
      {...gone, services: [service('nova-cellar-agent', 's9', {state: 'up'})]},
      leave,
      'note',
      'blocked',
    ],
    ['released, with a server', {...gone, servers: [{id: 'a', status: 'ACTIVE'}]}, leave, 'empty', 'blocked'],
    ['released, with a migration', {...gone, migrations: [{id: '1', status: 'running'}]}, leave, 'empty', 'blocked'],
    ['released, with allocations', {...gone, providers: [{...node, allocations: 1}]}, leave, 'empty', 'blocked'],
    [
      'only servers are known of it',
      {...gone, note: undefined, servers: [{id: 'a', status: 'ACTIVE'}]},
      leave,
      'empty',
      'blocked',
    ],
    ['only its mapping is known', {...gone, note: undefined, mapped: cell1}, leave, 'unmap', 'blocked'],
    ['its node is not shown', {...facts, nodes: []}, toCell2, 'note', 'blocked'],
    ['its node is not shown, and it only leaves', {...facts, nodes: []}, leave, 'note', 'blocked'],
    [
      'nova-compute was never there',
      {...facts, nodes: [], services: [service('nova-cellar-agent', 's2')]},
      leave,
      'note',
      'todo',
    ],
    ['it is mapped to no cell', {...facts, mapped: null}, toCell2, 'note', 'blocked'],
    ['it is mapped to no cell, and only leaves', {...facts, mapped: null}, leave, 'note', 'todo'],
    ['noted, and mapped to no cell', {...noted, mapped: null}, toCell2, 'delete-service', 'todo'],
    [
      'a node is there again, and its provider',
      {...gone, nodes: [node], providers: [{...node, allocations: 0}]},
      leave,
      'delete-provider',
      'blocked',
    ],
    ['it got into one more aggregate', {...noted, aggregates: more}, toCell2, 'note', 'todo'],
    ['it got out of its aggregate', {...noted, aggregates: []}, toCell2, 'delete-service', 'todo'],
    ['it got one more node', {...noted, nodes: [node, other]}, leave, 'note', 'todo'],
    [
      'its new cell gave it an aggregate',
      {...noted, services: [...facts.services, ...back], aggregates: more},
      toCell2,
      'delete-service',
      'todo',
    ],
    ['nobody knows which cell it is in', {...facts, mapped: undefined}, toCell2, 'note', 'blocked'],
    ['nobody knows, and it only leaves', {...facts, mapped: undefined}, leave, 'note', 'todo'],
    [
      'nobody knows where it runs now',
      {...gone, services: [service('nova-compute', 's8')], mapped: undefined},
      toCell2,
      'arrive',
      'blocked',
    ],
  ];
  for (const [title, given, goal, name, state] of cases) {
    const step = nextStep(planMove({...facts, ...given}, goal));
    t.is(step?.name, name, title);
    t.is(step?.state, state, title);
    if (state === 'blocked') t.true(Boolean(step?.why) && Boolean(step?.mend), title);
  }
});

test('the guards of an empty host come before anything is deleted', t => {
  const names = planMove(facts, toCell2).map(({name}) => name);
  t.deepEqual(names, [
    'note',
    'disable',
    'empty',
    'stop',
    'delete-service',
    'delete-agent-service',
    'delete-provider',
    'unmap',
    'arrive',
  ]);
});

test('a host that is released and that nobody has ever heard of is not found', t => {
  const nothing = {...gone, note: undefined};
  for (const mapped of [null, undefined])
    for (const services of [[], [service('nova-conductor', 's5', {state: 'up'})]])
      t.like(
        t.throws(() => planMove({...nothing, mapped, services}, leave)),
        {kind: 'not-found', message: 'Nova knows no host compute-1'},
      );
  t.notThrows(() => planMove({...nothing, providers: [{...node, allocations: 0}], nodes: [node]}, leave));
  t.notThrows(() => planMove(nothing, toCell2), 'it may come from outside');
});

test('what was started again since it was noted is told, and how it is released none the less', t => {
  const step = nextStep(planMove({...gone, services: back, mapped: cell1}, leave));
  t.is(
    step?.why,
    'nova-compute of compute-1 is another than on 2026-11-22T00:00:00Z, when what the host was before it left its cell was noted',
  );
  t.regex(step?.mend ?? '', /move the note away \(see \[cell\] journal_dir\)/);
});

test('the sockets, which would start the agent again, are stopped and started with it', t => {
  const up = [service('nova-cellar-agent', 's2', {state: 'up'})];
  const stop = nextStep(planMove({...noted, services: up}, leave));
  t.regex(stop?.mend ?? '', /`systemctl stop nova-compute cellar-agent\.socket cellar-facade\.socket cellar-agent`/);
  const arrive = nextStep(planMove(gone, toCell2));
  t.regex(
    arrive?.mend ?? '',
    /`systemctl start cellar-agent\.socket cellar-agent nova-compute`.*cellar-facade\.socket/,
  );
});

test('what came back to the old cell is another nova-compute, and is told so', t => {
  const back = {...gone, services: [service('nova-compute', 's8', {state: 'up'})], mapped: cell1};
  const step = nextStep(planMove(back, toCell2));
  t.regex(step?.why ?? '', /its nova-compute is another than on 2026-11-22T00:00:00Z/);
  t.regex(step?.mend ?? '', /journal_dir/);
  t.regex(nextStep(planMove({...gone, mapped: cell1}, toCell2))?.why ?? '', /has no nova-compute any more/);
});

test('the cell may be named by its uuid', t => {
  t.is(nextStep(planMove({...gone, mapped: cell2}, {to: {uuid: cell2.uuid.toUpperCase()}})), undefined);
  t.is(nextStep(planMove({...gone, mapped: cell1}, {to: {uuid: cell2.uuid}}))?.name, 'unmap');
});

test('a note keeps what it has, and gets what the host has got since', t => {
  const now = new Date('2026-11-23T00:00:00Z');
  t.deepEqual(noteOf(facts, now), {...note, since: now.toISOString()});
  const since = {...noted, services: back, aggregates: [{id: 4, name: 'fast'}], nodes: [other]};
  t.deepEqual(noteOf(since, now), {...note, nodes: [node, other], aggregates: more});
  t.deepEqual(noteOf(gone, now), note);
});

test('the aggregates it was in are told with the command that adds it again', t => {
  t.true(reminders(noted).some(one => one.includes('openstack aggregate add host 3 compute-1')));
  t.false(reminders({...noted, note: undefined}).some(one => one.includes('aggregate add')));
});

/** A Nova that does what the steps ask for, and can be made to die after each write. */
function nova(start: MoveFacts, dies: () => boolean = () => false) {
  let now = start;
  const done: StepName[] = [];
  const act = (name: StepName, change: (facts: MoveFacts) => Partial<MoveFacts>) => async (seen: MoveFacts) => {
    now = {...now, ...change(seen)};
    done.push(name);
    if (dies()) throw new CellarError('cancelled', 'killed');
  };
  const without = (binary: string) => now.services.filter(one => one.binary !== binary);
  const acts: MoveActs = {
    note: act('note', seen => ({note: noteOf(seen, new Date())})),
    disable: act('disable', () => ({services: now.services.map(one => ({...one, status: 'disabled' as const}))})),
    'delete-service': act('delete-service', () => ({
      services: without('nova-compute'),
      nodes: [],
      aggregates: [],
      mapped: null,
    })),
    'delete-agent-service': act('delete-agent-service', () => ({services: without('nova-cellar-agent')})),
    'delete-provider': act('delete-provider', () => ({providers: []})),
  };
  return {acts, done, facts: async () => now, set: (more: Partial<MoveFacts>) => (now = {...now, ...more})};
}

const signal = () => AbortSignal.timeout(10_000);
const enabled = [service('nova-compute', 's1', {status: 'enabled'}), service('nova-cellar-agent', 's2')];

test('it does one step after the other, stops where somebody else must act, and goes on from there', async t => {
  const host = nova({...facts, services: enabled});
  const error = await fails(t, carryOut(toCell2, host, signal()), 'conflict', /^compute-1 is not yet in cell cell2$/);
  t.regex(error.hint ?? '', /transport_url.*then run this again$/);
  const all = ['note', 'disable', 'delete-service', 'delete-agent-service', 'delete-provider'];
  t.deepEqual(host.done, all);
  await fails(t, carryOut(toCell2, host, signal()), 'conflict', /not yet in cell cell2/);
  t.deepEqual(host.done, all, 'nothing is done twice');
  host.set({services: [service('nova-compute', 's8', {state: 'up', status: 'enabled'})], mapped: cell2, nodes: [node]});
  const ended = await carryOut(toCell2, host, signal());
  t.deepEqual(ended.note?.aggregates, [{id: 3, name: 'ssd'}], 'what it was is still known');
  t.deepEqual(host.done, all);
});

test('killed after any step, the next run goes on, and every step is done once', async t => {
  let left = 1;
  const host = nova({...facts, services: enabled}, () => left-- > 0);
  for (let run = 0; run < 10; run += 1) {
    left = 1;
    const error = await t.throwsAsync(carryOut(leave, host, signal()).then(() => Promise.reject(new Error('the end'))));
    if (error?.message === 'the end') break;
    t.is(error?.message, 'killed');
  }
  t.deepEqual(host.done, ['note', 'disable', 'delete-service', 'delete-agent-service', 'delete-provider']);
});

test('a host with servers is disabled and nothing else', async t => {
  const host = nova({...facts, services: enabled, servers: [{id: 'a', status: 'ACTIVE'}]});
  await fails(t, carryOut(leave, host, signal()), 'conflict', /compute-1 has servers: a \(ACTIVE\)/);
  t.deepEqual(host.done, ['note', 'disable']);
});

test('a step that Nova does not show as done is not done for ever', async t => {
  const host = nova(noted);
  let times = 0;
  const acts = {
    ...host.acts,
    'delete-service': async () => {
      times += 1;
    },
  };
  await fails(
    t,
    carryOut(leave, {...host, acts}, signal()),
    'unavailable',
    /was done 3 times, and Nova does not show it/,
  );
  t.is(times, 3);
});
