import test from 'ava';
import {nextStep, planMove} from '../../src/nova/move.ts';
import type {MoveFacts, MoveGoal} from '../../src/nova/move-facts.ts';
import type {StepName} from '../../src/nova/move-steps.ts';
import {
  back,
  cell1,
  cell2,
  facts,
  gone,
  leave,
  more,
  node,
  note,
  noted,
  other,
  service,
  toCell2,
} from './moving-host.ts';

const onlyAgent = {...facts, nodes: [], providers: [], services: [service('nova-cellar-agent', 's2')]};
const agentBack = [service('nova-cellar-agent', 's9', {state: 'up'})];
/** nova-compute of cell2, with that of cell1 not deleted yet. */
const both = (state: 'up' | 'down') => ({
  ...noted,
  services: [...facts.services, service('nova-compute', 's8', {state, status: 'enabled'})],
});

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
    ['nova-compute was never there', onlyAgent, leave, 'note', 'blocked'],
    ['nova-compute was never there, nor mapped', {...onlyAgent, mapped: null}, toCell2, 'note', 'blocked'],
    ['its agent only is there', {...onlyAgent, mapped: cell2}, toCell2, undefined, undefined],
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
    ['its new cell gave it an aggregate', {...both('down'), aggregates: more}, toCell2, 'delete-service', 'todo'],
    ['it runs there, and its mapping is the old one', both('up'), toCell2, 'stop', 'blocked'],
    ['it runs there, and is not mapped', {...both('up'), mapped: null}, toCell2, 'stop', 'blocked'],
    ['it was stopped there, and is not mapped', {...both('down'), mapped: null}, toCell2, 'delete-service', 'todo'],
    [
      'what was of its old cell is deleted',
      {...both('up'), services: back, mapped: null},
      toCell2,
      'arrive',
      'blocked',
    ],
    [
      'it is mapped there before its old nova-compute went',
      {...both('up'), mapped: cell2},
      toCell2,
      'arrive',
      'blocked',
    ],
    ['so it is, and was stopped', {...both('down'), mapped: cell2}, toCell2, 'arrive', 'blocked'],
    [
      'mapped there, its new nova-compute not started',
      {...noted, nodes: [], mapped: cell2},
      toCell2,
      'arrive',
      'blocked',
    ],
    [
      'it came back, agent and all, and is not mapped',
      {...gone, services: [...back, ...agentBack]},
      toCell2,
      'arrive',
      'blocked',
    ],
    ['its agent came back to its old cell', {...gone, services: agentBack, mapped: cell1}, toCell2, 'unmap', 'blocked'],
    ['its agent came back, and is not mapped', {...gone, services: agentBack}, toCell2, 'unmap', 'blocked'],
    [
      'its agent came back, to somewhere',
      {...gone, services: agentBack, mapped: undefined},
      toCell2,
      'arrive',
      'blocked',
    ],
    [
      'its old agent only was forgotten',
      {...noted, services: [service('nova-cellar-agent', 's2'), ...back], mapped: cell2},
      toCell2,
      undefined,
      undefined,
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

test('the nova-compute of the old cell is not left behind: deleting it later would take the new mapping along', t => {
  const step = nextStep(planMove({...both('up'), mapped: cell2}, toCell2));
  t.regex(step?.why ?? '', /is mapped to cell cell2 .*has the nova-compute that was noted on 2026-11-22T00:00:00Z/);
  t.regex(step?.mend ?? '', new RegExp(`delete_host --cell_uuid ${cell2.uuid} --host compute-1\``));
  t.regex(step?.mend ?? '', /if it is of cell cell2, move the note away/);
});

test('what runs in the new cell is stopped before the nova-compute of the old one is deleted, and told apart from it', t => {
  t.regex(nextStep(planMove(both('up'), toCell2))?.why ?? '', /^nova-compute of another cell runs on compute-1/);
  const old = {...both('up'), services: [service('nova-compute', 's1', {state: 'up'}), ...back]};
  t.regex(nextStep(planMove(old, toCell2))?.why ?? '', /^nova-compute of compute-1 would make again/);
});

test('deleted servers that wait to be reclaimed are told with what shows and ends them', t => {
  const waiting = {id: 'a', status: 'SOFT_DELETED'};
  const step = nextStep(planMove({...noted, servers: [waiting]}, leave));
  t.regex(step?.why ?? '', /has servers: a \(SOFT_DELETED\)/);
  t.regex(step?.mend ?? '', /delete --force`.*--deleted --status SOFT_DELETED --host compute-1`/);
  t.regex(
    nextStep(planMove({...noted, servers: [waiting, {id: 'b', status: 'ACTIVE'}]}, leave))?.mend ?? '',
    /^migrate/,
  );
});

test('a node that only the agent made is not left for discover_hosts to map again', t => {
  t.regex(nextStep(planMove(onlyAgent, leave))?.mend ?? '', /start nova-compute there once/);
  const mapped = {...gone, mapped: cell1};
  for (const [nodes, mend] of [
    [[node], /^`nova-manage cell_v2 delete_host/],
    [[], /start nova-compute there once, and move the note away .*; else `nova-manage cell_v2 delete_host/],
  ] as const) {
    t.regex(nextStep(planMove({...mapped, note: {...note, nodes}}, leave))?.mend ?? '', mend);
  }
});

test('an agent that registered again since nova-compute was deleted: its node is not left behind', t => {
  for (const mapped of [cell1, null]) {
    const step = nextStep(planMove({...gone, services: agentBack, mapped}, toCell2));
    t.regex(step?.why ?? '', /^nova-cellar-agent of compute-1 has registered it again since/);
    t.regex(
      step?.mend ?? '',
      /start nova-compute there once.*move the note away .*; if .* cell cell2, `cellar host reg/,
    );
    t.notRegex(step?.mend ?? '', /delete_host/);
  }
  t.regex(nextStep(planMove(onlyAgent, leave))?.mend ?? '', /has not been started since, stop that .*delete_host/);
});

test('the cell may be named by its uuid', t => {
  t.is(nextStep(planMove({...gone, mapped: cell2}, {to: {uuid: cell2.uuid.toUpperCase()}})), undefined);
  t.is(nextStep(planMove({...gone, mapped: cell1}, {to: {uuid: cell2.uuid}}))?.name, 'unmap');
});
