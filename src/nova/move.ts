/** How a host leaves its cell, and gets into another: steps, each by what Nova says now. Whoever runs them again goes on where it was. */
import {CellarError} from '../core/errors.ts';
import {type Claim, fits, nameOf, told} from './cells.ts';
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

export type StepName =
  | 'note'
  | 'disable'
  | 'empty'
  | 'stop'
  | 'delete-service'
  | 'delete-agent-service'
  | 'delete-provider'
  | 'unmap'
  | 'arrive';

export type Step = {
  name: StepName;
  /** What is done, in a sentence. */
  what: string;
  /** todo: we do it. blocked: somebody else must do something first, and then run this again. */
  state: 'done' | 'todo' | 'blocked';
  why?: string;
  mend?: string;
};

const compute = 'nova-compute';
const agent = agentService.binary;

/**
 * The steps in their order. The first that is not done is the next one; those after it are judged as of now. `not-found` for
 * a host that is to leave its cell and that is nowhere: its name may be mistyped.
 */
export function planMove(facts: MoveFacts, goal: MoveGoal): Step[] {
  if (goal.to === undefined && isNowhere(facts)) {
    throw new CellarError('not-found', `Nova knows no host ${facts.host}`, {
      hint: 'its name is that of [DEFAULT] host there: see `openstack compute service list`',
      object: facts.host,
    });
  }
  const leaving = leavingOf(facts, goal);
  const leave = [
    note(facts, goal, leaving),
    disable(facts, leaving),
    empty(facts, goal, leaving),
    stop(facts, leaving),
    deleteService(facts, leaving),
    deleteAgentService(facts, leaving),
    deleteProvider(facts, leaving),
    unmap(facts, goal, leaving),
  ];
  return goal.to === undefined ? leave : [...leave, arrive(facts, goal.to)];
}

/** The first step that is not done; undefined: it is all done. */
export const nextStep = (steps: readonly Step[]): Step | undefined => steps.find(({state}) => state !== 'done');

/** What is known of the host, and was: what Nova forgets with the service is kept, and what it got since is added. */
export function noteOf({host, services, nodes, aggregates, note: noted}: MoveFacts, now: Date): MoveNote {
  return {
    schema: 1,
    host,
    since: noted?.since ?? now.toISOString(),
    services: noted?.services ?? services.map(({id}) => id),
    nodes: [...(noted?.nodes ?? []), ...nodes.filter(({uuid}) => !noted?.nodes.some(one => one.uuid === uuid))],
    aggregates: [
      ...(noted?.aggregates ?? []),
      ...aggregates.filter(({id}) => !noted?.aggregates.some(one => one.id === id)),
    ],
  };
}

/** What is left for people when the host is there: nobody can know what of it is wanted in the new cell. */
export function reminders({host, note: noted}: Pick<MoveFacts, 'host' | 'note'>): string[] {
  const aggregates = (noted?.aggregates ?? []).map(
    ({id, name}) => `it was in aggregate ${name}: \`openstack aggregate add host ${id} ${host}\``,
  );
  return [
    ...aggregates,
    'nova-scheduler remembers which cell a host is in: SIGHUP it if it does not find the host',
    `neutron agents of ${host} that are gone, and the libvirt secret of the old cluster, are yours to remove`,
  ];
}

/** The services of the old cell; the ones it has in the new cell have other ids. */
function leavingOf({services, mapped, note: noted}: MoveFacts, {to}: MoveGoal): ComputeServiceRow[] {
  if (to !== undefined && mapped && fits(to, mapped)) return [];
  return services.filter(({id}) => noted === undefined || noted.services.includes(id));
}

const of = (services: readonly ComputeServiceRow[], binary: string) => services.filter(one => one.binary === binary);

/** Neither Nova nor a note has anything of it. */
const isNowhere = ({services, servers, migrations, nodes, mapped, note: noted}: MoveFacts): boolean =>
  noted === undefined &&
  !mapped &&
  [services.filter(isOurs), servers, migrations, nodes].every(({length}) => length === 0);

const isOurs = ({binary}: ComputeServiceRow): boolean => binary === compute || binary === agent;

function note(facts: MoveFacts, {to}: MoveGoal, leaving: readonly ComputeServiceRow[]): Step {
  const {host, note: noted, nodes, mapped} = facts;
  const all = of(leaving, compute).length > 0 && !arrived(facts) ? noteOf(facts, new Date(0)) : (noted ?? facts);
  const list = all.aggregates.map(({name}) => name).join(', ') || 'none';
  const step = {name: 'note', what: `note what the host is now, for afterwards; its aggregates: ${list}`} as const;
  const others = [...new Set(unnoted(facts).map(({binary}) => binary))].join(' and ');
  if (to === undefined && others !== '') {
    return {
      ...step,
      state: 'blocked',
      why: `${others} of ${host} is another than on ${noted?.since}, when what the host was before it left its cell was noted`,
      mend: 'stop it if it should not run; if the host is to leave the cell that it is in now, move the note away (see [cell] journal_dir)',
    };
  }
  if (noted !== undefined) {
    const more = all.aggregates.length > noted.aggregates.length || all.nodes.length > noted.nodes.length;
    return {...step, state: more ? 'todo' : 'done'};
  }
  if (leaving.length === 0) return {...step, state: 'done'};
  if (to !== undefined && mapped === undefined) {
    return {
      ...step,
      state: 'blocked',
      why: `nobody was asked which cell ${host} is in now: it may be in cell ${told(to)} already`,
      mend: 'set [registrar] url here',
    };
  }
  if (to !== undefined && mapped === null && of(leaving, compute).length > 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} has a nova-compute, and is mapped to no cell: it may be in cell ${told(to)} already`,
      mend: 'map it to the cell it is in: `cellar host register` there, or `nova-manage cell_v2 discover_hosts`',
    };
  }
  if (of(leaving, compute).length > 0 && nodes.length === 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} has a nova-compute, and Nova shows no compute node of it: what is in Placement would stay there`,
      mend: `see that it is mapped, and that its cell answers: \`openstack hypervisor list\`; if it never had one, \`openstack compute service delete\``,
    };
  }
  return {...step, state: 'todo'};
}

function disable({host}: MoveFacts, leaving: readonly ComputeServiceRow[]): Step {
  const enabled = of(leaving, compute).some(({status}) => status === 'enabled');
  return {
    name: 'disable',
    what: `disable nova-compute of ${host}, so that nothing more is scheduled onto it`,
    state: enabled ? 'todo' : 'done',
  };
}

/** Whoever only leaves is looked at to the end: nothing else would tell that the host is in use again. */
function empty(
  {host, servers, migrations, providers}: MoveFacts,
  {to}: MoveGoal,
  leaving: readonly ComputeServiceRow[],
): Step {
  const step = {name: 'empty', what: `${host} has no servers, no migrations and no allocations`} as const;
  if (to !== undefined && leaving.length === 0) return {...step, state: 'done'};
  if (servers.length > 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} has servers: ${few(servers)}`,
      mend: `migrate or delete them: \`openstack server list --all-projects --host ${host}\``,
    };
  }
  if (migrations.length > 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} has migrations in progress: ${few(migrations)}`,
      mend: 'wait for them, and confirm or revert resizes: `openstack server migration list`',
    };
  }
  const used = providers.find(({allocations}) => allocations > 0);
  if (used === undefined) return {...step, state: 'done'};
  return {
    ...step,
    state: 'blocked',
    why: `Placement has allocations of ${used.allocations} consumers on ${used.name} (${used.uuid}), and Nova no server there`,
    mend: `\`nova-manage placement audit --resource_provider ${used.uuid}\` shows and deletes orphaned ones`,
  };
}

function stop({host}: MoveFacts, leaving: readonly ComputeServiceRow[]): Step {
  const running = leaving.filter(one => one.state === 'up' && isOurs(one));
  const step = {name: 'stop', what: `nova-compute and cellar-agent of ${host} are stopped`} as const;
  if (running.length === 0) return {...step, state: 'done'};
  return {
    ...step,
    state: 'blocked',
    why: `${running.map(({binary}) => binary).join(' and ')} of ${host} would make again what is deleted`,
    mend: `on ${host}: \`systemctl stop nova-compute cellar-agent.socket cellar-facade.socket cellar-agent\`, the sockets too, which would start it again; Nova sees it within a minute ([DEFAULT] service_down_time)`,
  };
}

function deleteService({host, nodes, note: noted}: MoveFacts, leaving: readonly ComputeServiceRow[]): Step {
  const names = (noted?.nodes ?? nodes).map(({name, uuid}) => `${name} (${uuid})`).join(', ') || 'none';
  return {
    name: 'delete-service',
    what: `delete nova-compute of ${host}; with it go its aggregates, resource provider, host mapping and compute node: ${names}`,
    state: of(leaving, compute).length > 0 ? 'todo' : 'done',
  };
}

function deleteAgentService({host}: MoveFacts, leaving: readonly ComputeServiceRow[]): Step {
  return {
    name: 'delete-agent-service',
    what: `delete ${agent} of ${host}`,
    state: of(leaving, agent).length > 0 ? 'todo' : 'done',
  };
}

/** A provider that stays would keep another node from having its name. One whose node is still there is in use. */
function deleteProvider(facts: MoveFacts, leaving: readonly ComputeServiceRow[]): Step {
  const {host, nodes} = facts;
  const left = facts.note === undefined || arrived(facts) ? [] : facts.providers;
  const names = left.map(({name, uuid}) => `${name} (${uuid})`).join(', ');
  const step = {
    name: 'delete-provider',
    what: `delete what Nova left of it in Placement${names && `: ${names}`}`,
  } as const;
  // While the service is there, deleting that takes it along.
  if (left.length === 0 || of(leaving, compute).length > 0) return {...step, state: 'done'};
  if (nodes.length === 0) return {...step, state: 'todo'};
  return {
    ...step,
    state: 'blocked',
    why: `Nova shows compute node ${nodes.map(({name}) => name).join(', ')} of ${host}, and no nova-compute`,
    mend: 'see that all cells answer: `openstack compute service list`',
  };
}

/** Services of the host that are not among those that were to go. */
const unnoted = ({services, note: noted}: MoveFacts): ComputeServiceRow[] =>
  services.filter(one => isOurs(one) && noted !== undefined && !noted.services.includes(one.id));

const arrived = (facts: MoveFacts): boolean => of(unnoted(facts), compute).length > 0;

/** Nova maps a host to one cell only, and a mapping to the old one would stay, unnoticed. */
function unmap(facts: MoveFacts, {to}: MoveGoal, leaving: readonly ComputeServiceRow[]): Step {
  const {host, mapped, note: noted} = facts;
  const step = {name: 'unmap', what: `${host} is not mapped to its old cell any more`} as const;
  const old = mapped && !(to !== undefined && fits(to, mapped)) ? mapped : undefined;
  if (old === undefined || of(leaving, compute).length > 0)
    return {...step, state: old === undefined ? 'done' : 'todo'};
  if (arrived(facts)) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} is mapped to ${nameOf(old)}, and its nova-compute is another than on ${noted?.since}, when the move began`,
      mend: `stop nova-compute, cellar-agent and its sockets there; if they are of the old cell, move the note away (see [cell] journal_dir) and begin anew; else \`nova-manage cell_v2 delete_host --cell_uuid ${old.uuid} --host ${host}\``,
    };
  }
  return {
    ...step,
    state: 'blocked',
    why: `${host} has no nova-compute any more, and is mapped to ${nameOf(old)}`,
    mend: `\`nova-manage cell_v2 delete_host --cell_uuid ${old.uuid} --host ${host}\``,
  };
}

function arrive({host, mapped, services}: MoveFacts, to: Claim): Step {
  const step = {
    name: 'arrive',
    what: `${host} is started with the configuration of cell ${told(to)}, and is mapped there`,
  } as const;
  if (mapped && fits(to, mapped)) return {...step, state: 'done'};
  const start = `on ${host}: set [DEFAULT] transport_url, [libvirt] and [cell] to those of cell ${told(to)}, then \`systemctl start cellar-agent.socket cellar-agent nova-compute\`, and before them cellar-facade.socket where the facade is used`;
  if (mapped === undefined && services.length > 0) {
    return {
      ...step,
      state: 'blocked',
      why: `nobody was asked which cell ${host} is mapped to`,
      mend: `set [registrar] url here, or see \`cellar status\` on ${host}; if it has not been done yet, ${start}`,
    };
  }
  return {...step, state: 'blocked', why: `${host} is not yet in cell ${told(to)}`, mend: start};
}

const few = (list: readonly {id: string; status: string}[]): string => {
  const shown = list.slice(0, 3).map(({id, status}) => `${id} (${status})`);
  return [...shown, ...(list.length > 3 ? [`and ${list.length - 3} more`] : [])].join(', ');
};
