/** What is known of a host that is to leave its cell, and what of that is of its old cell. */
import {type Claim, fits} from './cells.ts';
import {agentService} from './service.ts';

/** A row of `services` as Nova's API shows it. */
export type ComputeServiceRow = {
  id: string;
  binary: string;
  state: 'up' | 'down';
  status: 'enabled' | 'disabled';
  reason: string | null;
};

export type HostAggregate = {id: number; name: string};
export type HostNode = {name: string; uuid: string};

/** A resource provider of Placement with the uuid or the name of a compute node; `allocations`: of how many consumers. */
export type HostProvider = {uuid: string; name: string; allocations: number};

/** What Nova forgets with the service, and what tells the service of the old cell from that of the new one. */
export type MoveNote = {
  schema: 1;
  host: string;
  /** UTC. */
  since: string;
  /** Ids of the services that are to go. */
  services: readonly string[];
  nodes: readonly HostNode[];
  aggregates: readonly HostAggregate[];
};

export type MoveFacts = {
  host: string;
  services: readonly ComputeServiceRow[];
  /** Those that wait to be reclaimed among them. */
  servers: readonly {id: string; status: string}[];
  /** Those in progress. */
  migrations: readonly {id: string; status: string}[];
  aggregates: readonly HostAggregate[];
  nodes: readonly HostNode[];
  providers: readonly HostProvider[];
  /** The cell it is mapped to; null: to none; undefined: nobody was asked who knows. */
  mapped: {name: string | null; uuid: string} | null | undefined;
  note: MoveNote | undefined;
};

/** `to`: the other cell, by name or uuid; undefined: it only leaves. */
export type MoveGoal = {to: Claim | undefined};

export const compute = 'nova-compute';
export const agent = agentService.binary;

export const of = (services: readonly ComputeServiceRow[], binary: string): ComputeServiceRow[] =>
  services.filter(one => one.binary === binary);

export const isOurs = ({binary}: ComputeServiceRow): boolean => binary === compute || binary === agent;

/** The services of the old cell; the ones it has in the new cell have other ids. */
export function leavingOf({services, mapped, note}: MoveFacts, {to}: MoveGoal): ComputeServiceRow[] {
  if (to !== undefined && mapped && fits(to, mapped)) return [];
  return services.filter(({id}) => note === undefined || note.services.includes(id));
}

/** Services of the host that are not among those that were to go. */
export const unnoted = ({services, note}: Pick<MoveFacts, 'services' | 'note'>): ComputeServiceRow[] =>
  services.filter(one => isOurs(one) && note !== undefined && !note.services.includes(one.id));

/** Has it a nova-compute that was made since the note was? */
export const arrived = (facts: Pick<MoveFacts, 'services' | 'note'>): boolean => of(unnoted(facts), compute).length > 0;

/** Neither Nova nor a note has anything of it. */
export const isNowhere = ({services, servers, migrations, nodes, mapped, note}: MoveFacts): boolean =>
  note === undefined &&
  !mapped &&
  [services.filter(isOurs), servers, migrations, nodes].every(({length}) => length === 0);
