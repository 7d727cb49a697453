import test from 'ava';
import {CellarError, type ErrorKind} from '../../src/core/errors.ts';
import type {Cell} from '../../src/nova/cells.ts';
import type {Recorded} from '../../src/nova/register.ts';
import {Registration, type RegistrationEvent, type RegistrationSteps} from '../../src/nova/registration.ts';
import {waitFor} from '../lab/run.ts';

const cell: Cell = {
  id: 2,
  uuid: 'ce110001-0000-4000-8000-000000000001',
  name: 'cell1',
  disabled: false,
  bus: undefined,
};
const recorded: Recorded = {
  node: {
    id: 7,
    uuid: 'aaaaaaaa-0000-4000-8000-000000000001',
    host: 'compute-1',
    hypervisor_hostname: 'compute-1.example',
    mapped: 0,
    deleted: false,
  },
  outcome: 'created',
  unknown: [],
};
const node = {name: 'compute-1.example', uuid: recorded.node.uuid};
const mapped = {state: 'mapped', node, cell: {name: 'cell1', uuid: cell.uuid}} as const;
const times = {report: 1, retry: 1, maxRetry: 4, attempt: 10_000};

/** Steps that succeed, except those that are replaced; `calls` names them in order. */
function keeping(replaced: Partial<RegistrationSteps> = {}, given = times) {
  const calls: string[] = [];
  const events: RegistrationEvent[] = [];
  const named =
    <A extends unknown[], R>(name: string, step: (...args: A) => Promise<R>) =>
    (...args: A) => {
      calls.push(name);
      return step(...args);
    };
  const steps: RegistrationSteps = {
    check: named('check', replaced.check ?? (async () => {})),
    register: named('register', replaced.register ?? (async () => recorded)),
    beat: named('beat', replaced.beat ?? (async () => {})),
    findCell: named('findCell', replaced.findCell ?? (async () => cell)),
    map: named('map', replaced.map ?? (async () => 'created' as const)),
  };
  const registration = new Registration(steps, given, event => events.push(event));
  const stopping = new AbortController();
  const kept = registration.keep(stopping.signal);
  const stop = async () => {
    stopping.abort(new CellarError('cancelled', 'stopping'));
    await kept;
  };
  return {registration, calls, events, stop};
}

/** Fails so often, then succeeds. */
const failing = <T>(error: CellarError, often: number, value: T) => {
  let left = often;
  return async () => {
    left -= 1;
    if (left >= 0) throw error;
    return value;
  };
};

const until = (what: string, holds: () => boolean) =>
  waitFor(
    what,
    async () => {
      if (!holds()) throw new Error('not yet');
    },
    {everyMs: 2},
  );

test('nothing is written before the cluster and the cell are the right ones', async t => {
  const {registration, calls, stop} = keeping();
  await until('a second sign of life', () => calls.length > 6);
  t.deepEqual(calls.slice(0, 6), ['check', 'findCell', 'register', 'map', 'beat', 'beat']);
  t.deepEqual(registration.status, mapped);
  await stop();
});

test('a refusal stops before anything is written, keeps its reason, and is looked at again', async t => {
  for (const step of ['check', 'findCell'] as const) {
    const error = new CellarError('conflict', 'it is another cell', {hint: 'correct [cell]'});
    const {registration, calls, events, stop} = keeping({[step]: failing(error, 3, cell)});
    await until('refused', () => registration.status.state === 'refused');
    t.deepEqual(registration.status, {state: 'refused', why: 'it is another cell', hint: 'correct [cell]'});
    t.false(calls.includes('register'));
    await until('mapped', () => registration.status.state === 'mapped');
    t.deepEqual(registration.status, mapped, 'the reason is gone');
    const changes = events.flatMap(event => (event.type === 'registration-changed' ? [event.status.state] : []));
    t.deepEqual(changes, ['refused', 'mapped'], 'told once, not for each attempt');
    await stop();
  }
});

test('what may pass is waiting, what an operator must mend is refused', async t => {
  const kinds: [ErrorKind, 'waiting' | 'refused'][] = [
    ['unavailable', 'waiting'],
    ['timeout', 'waiting'],
    ['internal', 'waiting'],
    ['conflict', 'refused'],
    ['config', 'refused'],
    ['unauthorized', 'refused'],
    ['forbidden', 'refused'],
  ];
  for (const [kind, state] of kinds) {
    const {registration, stop} = keeping({register: failing(new CellarError(kind, 'no'), 1e9, recorded)});
    await until(state, () => registration.status.why === 'no');
    t.is(registration.status.state, state, kind);
    await stop();
  }
});

test('a record that could not be mapped yet is registered', async t => {
  const {registration, stop} = keeping({
    map: failing(new CellarError('timeout', 'no answer'), 1e9, 'created' as const),
  });
  await until('registered', () => registration.status.state === 'registered');
  t.deepEqual(registration.status, {state: 'registered', node, why: 'no answer'});
  await stop();
});

test('signs of life that fail are told once, and once when they are back; nothing is registered again', async t => {
  let down = false;
  const {registration, calls, events, stop} = keeping({
    beat: async () => {
      if (down) throw new CellarError('unavailable', 'RabbitMQ is down');
    },
  });
  await until('mapped', () => registration.status.state === 'mapped');
  down = true;
  await until('the failure', () => registration.status.why !== undefined);
  t.like(registration.status, {...mapped, why: 'its signs of life do not get through: RabbitMQ is down'});
  const beats = calls.length;
  await until('more failures', () => calls.length > beats + 3);
  down = false;
  await until('the return', () => registration.status.why === undefined);
  t.deepEqual(
    events.map(({type}) => type).filter(type => type.startsWith('heartbeat')),
    ['heartbeat-failed', 'heartbeat-back'],
  );
  t.is(calls.filter(call => call === 'register').length, 1);
  await stop();
});

test('a step that hangs is given up, and tried again', async t => {
  let tries = 0;
  const register = (signal: AbortSignal) => {
    tries += 1;
    if (tries > 1) return Promise.resolve(recorded);
    return new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), {once: true});
    });
  };
  const {registration, stop} = keeping({register}, {...times, attempt: 50});
  await until('mapped', () => registration.status.state === 'mapped');
  t.is(tries, 2);
  await stop();
});

test('stopping ends an attempt, a pause and the wait for the next sign of life, and says nothing of it', async t => {
  const long = {...times, report: 3_600_000, retry: 3_600_000, maxRetry: 3_600_000};
  const hanging = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), {once: true}));
  const attempt = keeping({register: hanging}, long);
  await until('the attempt', () => attempt.calls.includes('register'));
  await attempt.stop();
  t.deepEqual(attempt.events, []);
  const pause = keeping({register: failing(new CellarError('unavailable', 'no'), 1e9, recorded)}, long);
  await until('the pause', () => pause.registration.status.why === 'no');
  await pause.stop();
  const idle = keeping({}, long);
  await until('mapped', () => idle.calls.includes('beat'));
  await idle.stop();
  t.is(idle.registration.status.state, 'mapped');
});

test('without the mapping steps the record is the end of the road', async t => {
  const steps = {check: async () => {}, register: async () => recorded, beat: async () => {}};
  const registration = new Registration(steps, times, () => {});
  const stopping = new AbortController();
  const kept = registration.keep(stopping.signal);
  await until('registered', () => registration.status.state === 'registered');
  t.deepEqual(registration.status, {state: 'registered', node});
  stopping.abort();
  await kept;
});
