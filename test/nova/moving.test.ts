import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import type {MoveFacts} from '../../src/nova/move-facts.ts';
import {noteOf} from '../../src/nova/move-note.ts';
import type {StepName} from '../../src/nova/move-steps.ts';
import {carryOut, type MoveActs} from '../../src/nova/moving.ts';
import {fails} from '../helpers/fails.ts';
import {cell2, facts, leave, node, noted, service, toCell2} from './moving-host.ts';

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

test('what was not to be done any more is not said to be done', async t => {
  const provider = {...node, allocations: 0};
  const host = nova({...noted, services: [], nodes: [], aggregates: [], providers: [provider], mapped: null});
  const acts = {
    ...host.acts,
    'delete-provider': async () => {
      host.set({services: [service('nova-compute', 's8', {state: 'up'})], nodes: [node]});
      return 'left';
    },
  };
  const done: StepName[] = [];
  const asked = carryOut(toCell2, {...host, acts, onDone: ({name}) => done.push(name)}, signal());
  await fails(t, asked, 'conflict', /not yet in cell cell2/);
  t.deepEqual(done, []);
});
