/** `cellar host`: a host as Nova has it, and the steps that take it out of its cell. */
import type {CellarConfig} from '../config/load.ts';
import {asCellarError, CellarError} from '../core/errors.ts';
import {Session} from '../keystone/session.ts';
import {ComputeApi} from '../nova/compute-api.ts';
import {Journal} from '../nova/journal.ts';
import {planMove} from '../nova/move.ts';
import {agent, arrived, compute, isOurs, type MoveFacts, type MoveGoal} from '../nova/move-facts.ts';
import {noteOf, reminders} from '../nova/move-note.ts';
import type {Step} from '../nova/move-steps.ts';
import {carryOut, type MoveActs} from '../nova/moving.ts';
import {operatorLogin} from './login.ts';
import {mappingSource} from './mapping.ts';

export type {MoveFacts, MoveGoal} from '../nova/move-facts.ts';
export type {Step} from '../nova/move-steps.ts';

export type HostTools = AsyncDisposable & {
  /** What Nova, Placement and the registrar say now. */
  look(host: string, signal: AbortSignal): Promise<MoveFacts>;
  /** The steps as they stand. Nothing is done. */
  plan(host: string, goal: MoveGoal, signal: AbortSignal): Promise<Step[]>;
  /** Does them, until one is somebody else's; answers what is left for people. */
  carryOut(host: string, goal: MoveGoal, onDone: (step: Step) => void, signal: AbortSignal): Promise<string[]>;
};

export const disableReason = 'cellar: the host is leaving its cell';

export function openHostTools(config: CellarConfig, env: Readonly<Record<string, string | undefined>>): HostTools {
  const {auth, session: options, region, interface: wanted} = operatorLogin(config, env);
  const session = new Session(auth, options);
  const valid_interfaces = wanted === undefined ? ['internal', 'public'] : [wanted];
  const api = new ComputeApi(session, {...options, region_name: region, valid_interfaces});
  const mapping = mappingSource(config, session);
  const journal = new Journal(config.get('cell', 'journal_dir'));

  async function look(host: string, signal: AbortSignal): Promise<MoveFacts> {
    const note = journal.read(host);
    const [services, servers, migrations, aggregates, nodes, mapped] = await Promise.all([
      api.services(host, signal),
      api.servers(host, signal),
      api.migrations(host, signal),
      api.aggregates(host, signal),
      api.nodes(host, signal),
      mapping.of(host, signal),
    ]);
    checkAgrees(host, services, nodes.own);
    const providers = await api.providers(note?.nodes ?? nodes.own, nodes.others, signal);
    return {host, services, servers, migrations, aggregates, nodes: nodes.own, providers, mapped, note};
  }

  return {
    look,
    plan: async (host, goal, signal) => planMove(await look(host, signal), goal),
    async carryOut(host, goal, onDone, signal) {
      const io = {facts: (soon: AbortSignal) => look(host, soon), acts: actsOf(api, journal), onDone};
      const ended = await carryOut(goal, io, signal);
      // A host that only left may still be moved: what it was is kept for then.
      if (goal.to !== undefined) journal.remove(host);
      return reminders(ended);
    },
    async [Symbol.asyncDispose]() {
      api.close();
      session.close();
      await mapping.close();
    },
  };
}

function actsOf(api: ComputeApi, journal: Journal): MoveActs {
  const leaving = ({services, note}: MoveFacts, wanted: string) =>
    services.filter(({id, binary}) => binary === wanted && note?.services.includes(id) === true);
  return {
    note: async facts => journal.write(noteOf(facts, new Date())),
    disable: async (facts, signal) => {
      for (const {id, status} of leaving(facts, compute))
        if (status === 'enabled') await api.disable(id, disableReason, signal);
    },
    // With it Nova would take along what is of a nova-compute that was started since we looked.
    'delete-service': async (facts, signal) => {
      const services = await api.services(facts.host, signal);
      if (services.some(one => one.state === 'up' && isOurs(one))) return 'left';
      for (const {id} of leaving(facts, compute)) await api.deleteService(id, signal);
      return undefined;
    },
    // Nova cannot tell others of a service it does not know, and answers 500 with the row gone: the next look says.
    'delete-agent-service': async (facts, signal) => {
      for (const {id} of leaving(facts, agent)) await api.deleteService(id, signal).catch(ignore500);
    },
    // One that nova-compute of the new cell has made since we looked is its own: its service is there before it.
    'delete-provider': async ({host, note, providers}, signal) => {
      const services = await api.services(host, signal);
      if (arrived({services, note})) return 'left';
      for (const {uuid} of providers) await api.deleteProvider(uuid, signal);
      return undefined;
    },
  };
}

/** Nova shows no node without its nova-compute, and leaves out, without a word, what is in a cell that does not answer. */
function checkAgrees(host: string, services: MoveFacts['services'], nodes: MoveFacts['nodes']): void {
  const [node] = nodes;
  if (node === undefined || services.some(({binary}) => binary === compute)) return;
  throw new CellarError('unavailable', `Nova shows compute node ${node.name} of ${host}, and no nova-compute`, {
    hint: "its answers disagree, so a cell may not answer: see nova-api's log, and run this again",
    object: host,
  });
}

function ignore500(thrown: unknown): void {
  const error = asCellarError(thrown);
  if (error.kind !== 'unavailable') throw error;
}
