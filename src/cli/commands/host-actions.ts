import {setTimeout as sleep} from 'node:timers/promises';
import type {StatusAnswer} from '../../api/wire.ts';
import {readConfig} from '../../config/load.ts';
import {CellarError} from '../../core/errors.ts';
import type {HostTools, MoveFacts, MoveGoal, Step} from '../../host/open.ts';
import type {Result} from '../output.ts';
import type {Session} from '../session.ts';
import {pairs} from '../table.ts';

type HostArgs = {host?: string | undefined};
type MoveArgs = HostArgs & {'dry-run'?: boolean | undefined; to?: string | undefined};

/** Minutes: a nova-compute that must be seen as down takes one. */
const patience = 10 * 60_000;

export async function status(session: Session, args: HostArgs): Promise<Result> {
  const {tools, host, signal} = await open(session, args);
  await using _ = tools;
  const facts = await tools.look(host, signal);
  return {json: {schema: 1, ...facts}, ids: facts.nodes.map(({uuid}) => uuid), text: describe(facts)};
}

/** The agent tries by itself, at most a minute apart: this only waits for it. A refusal is told at once. */
export async function register(session: Session): Promise<Result> {
  const client = await session.client();
  const signal = AbortSignal.any([session.signal, AbortSignal.timeout(session.call.timeout ?? patience)]);
  let last: StatusAnswer | undefined;
  try {
    for (;;) {
      last = await client.status({...session.call, signal});
      const there = registered(last.registration, last.host);
      if (there !== undefined) return there;
      await sleep(1000, undefined, {signal});
    }
  } catch (error) {
    session.signal.throwIfAborted();
    if (!signal.aborted || last === undefined) throw error;
    const {host, registration} = last;
    throw new CellarError('timeout', `${host} is not registered yet: ${registration.why ?? registration.state}`, {
      ...(registration.hint !== undefined && {hint: registration.hint}),
    });
  }
}

function registered(registration: StatusAnswer['registration'], host: string): Result | undefined {
  const {state, why = '', hint, node, cell} = registration;
  if (state === 'off') {
    throw new CellarError('config', `the agent of ${host} does not register it`, {hint: 'set [cell] registration'});
  }
  if (state === 'refused')
    throw new CellarError('conflict', `${host} is refused: ${why}`, {...(hint !== undefined && {hint}), object: host});
  if (state === 'waiting' || why !== '') return undefined;
  const where = cell === undefined ? 'its compute node is there' : `it is in cell ${cell.name ?? cell.uuid}`;
  return {
    json: {schema: 1, host, registration},
    ids: node === undefined ? [] : [node.uuid],
    text: `${host}: ${where}\n`,
  };
}

export const release = (session: Session, args: MoveArgs): Promise<Result> => run(session, args, {to: undefined});

export const move = (session: Session, args: MoveArgs): Promise<Result> =>
  run(session, args, {to: claimOf(args.to ?? '')});

const claimOf = (text: string) =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? {uuid: text} : {name: text};

async function run(session: Session, args: MoveArgs, goal: MoveGoal): Promise<Result> {
  const {tools, host, signal} = await open(session, args);
  await using _ = tools;
  if (args['dry-run']) {
    const steps = await tools.plan(host, goal, signal);
    const blocked = steps.find(({state}) => state !== 'done')?.state === 'blocked';
    return {json: {schema: 1, host, steps}, ids: [], text: listed(steps), alarming: ['blocked'], exit: blocked ? 1 : 0};
  }
  const done: Step[] = [];
  const onDone = (step: Step) => {
    done.push(step);
    if (session.format === 'text') session.stderr.write(`done: ${step.what}\n`);
  };
  const left = await tools.carryOut(host, goal, onDone, signal);
  const end = goal.to === undefined ? `${host} has left its cell` : `${host} is in its new cell`;
  return {
    json: {schema: 1, host, done: done.map(({name}) => name), reminders: left},
    ids: [],
    text: [end, ...left.map(one => `  ${one}`)].map(line => `${line}\n`).join(''),
  };
}

async function open(
  session: Session,
  {host}: HostArgs,
): Promise<{tools: HostTools; host: string; signal: AbortSignal}> {
  const {openHostTools} = await import('../../host/open.ts');
  const config = readConfig(session.sources, {env: session.env});
  const timeout = AbortSignal.timeout(session.call.timeout ?? patience);
  const tools = openHostTools(config, session.env);
  return {tools, host: host ?? config.get('DEFAULT', 'host'), signal: AbortSignal.any([session.signal, timeout])};
}

/** A line each, what blocks it and what mends it under it. */
function listed(steps: readonly Step[]): string {
  const next = steps.findIndex(({state}) => state !== 'done');
  const lines = steps.flatMap(({state, what, why, mend}, index) => [
    `${(index > next && state === 'blocked' ? 'later' : state).padEnd(7)}  ${what}`,
    ...(why !== undefined && index === next ? [`         ${why}`, `         ${mend ?? ''}`] : []),
  ]);
  return lines.map(line => `${line}\n`).join('');
}

function describe({
  host,
  services,
  servers,
  migrations,
  aggregates,
  nodes,
  providers,
  mapped,
  note,
}: MoveFacts): string {
  const cell =
    mapped === undefined
      ? 'unknown: set [registrar] url'
      : mapped === null
        ? 'none'
        : `${mapped.name ?? ''} (${mapped.uuid})`;
  return pairs([
    ['host', host],
    ['cell', cell],
    ...services.map(
      ({binary, state, status: enabled, reason}) =>
        ['service', `${binary}, ${state}, ${enabled}${reason === null ? '' : ` (${reason})`}`] as const,
    ),
    ...nodes.map(({name, uuid}) => ['node', `${name} (${uuid})`] as const),
    ...providers.map(
      ({name, uuid, allocations}) => ['provider', `${name} (${uuid}), ${allocations} allocations`] as const,
    ),
    ['servers', servers.length === 20 ? '20 or more' : String(servers.length)],
    ['migrations', `${migrations.length} in progress`],
    ['aggregates', aggregates.map(({name}) => name).join(', ') || 'none'],
    ['moving', note === undefined ? undefined : `since ${note.since}`],
  ]);
}
