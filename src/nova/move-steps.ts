/** The steps by which a host leaves its cell, each judged by what Nova says now. */
import {type Claim, fits, nameOf, told} from './cells.ts';
import {
  agent,
  arrived,
  type ComputeServiceRow,
  compute,
  isOurs,
  type MoveFacts,
  type MoveGoal,
  of,
  unnoted,
} from './move-facts.ts';

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

type Services = readonly ComputeServiceRow[];

export function disable({host}: MoveFacts, leaving: Services): Step {
  const enabled = of(leaving, compute).some(({status}) => status === 'enabled');
  return {
    name: 'disable',
    what: `disable nova-compute of ${host}, so that nothing more is scheduled onto it`,
    state: enabled ? 'todo' : 'done',
  };
}

/** Whoever only leaves is looked at to the end: nothing else would tell that the host is in use again. */
export function empty({host, servers, migrations, providers}: MoveFacts, {to}: MoveGoal, leaving: Services): Step {
  const step = {name: 'empty', what: `${host} has no servers, no migrations and no allocations`} as const;
  if (to !== undefined && leaving.length === 0) return {...step, state: 'done'};
  if (servers.length > 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} has servers: ${few(servers)}`,
      mend: servers.every(isReclaimed)
        ? `they are deleted, and wait to be reclaimed: \`openstack server delete --force\`, or restore them; \`openstack server list --all-projects --deleted --status ${softDeleted} --host ${host}\``
        : `migrate or delete them: \`openstack server list --all-projects --host ${host}\``,
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
    why: `Placement has allocations of ${used.allocations} consumers on ${used.name} (${used.uuid}), and Nova shows no server there`,
    mend: `\`nova-manage placement audit --resource_provider ${used.uuid}\` shows and deletes orphaned ones`,
  };
}

/** As Nova's API has it: deleted, and kept for [DEFAULT] reclaim_instance_interval. */
const softDeleted = 'SOFT_DELETED';
const isReclaimed = ({status}: {status: string}): boolean => status === softDeleted;

/** With the service of the old cell Nova deletes what has the host's name, or its node's uuid: of the new cell too. */
export function stop(facts: MoveFacts, leaving: Services): Step {
  const {host} = facts;
  const step = {name: 'stop', what: `nova-compute and cellar-agent of ${host} are stopped`} as const;
  const running = leaving.filter(runs);
  const others = of(leaving, compute).length > 0 ? unnoted(facts).filter(runs) : [];
  if (running.length + others.length === 0) return {...step, state: 'done'};
  const names = (services: Services) => [...new Set(services.map(({binary}) => binary))].join(' and ');
  return {
    ...step,
    state: 'blocked',
    why:
      running.length > 0
        ? `${names(running)} of ${host} would make again what is deleted`
        : `${names(others)} of another cell runs on ${host}, and would lose its resource provider and its aggregates with the nova-compute of the old cell, which is still to be deleted`,
    mend: `on ${host}: \`systemctl stop nova-compute cellar-agent.socket cellar-facade.socket cellar-agent\`, the sockets too, which would start it again; Nova sees it within a minute ([DEFAULT] service_down_time)`,
  };
}

const runs = (one: ComputeServiceRow): boolean => one.state === 'up' && isOurs(one);

export function deleteService({host, nodes, note: noted}: MoveFacts, leaving: Services): Step {
  const names = (noted?.nodes ?? nodes).map(({name, uuid}) => `${name} (${uuid})`).join(', ') || 'none';
  return {
    name: 'delete-service',
    what: `delete nova-compute of ${host}; with it go its aggregates, resource provider, host mapping and compute node: ${names}`,
    state: of(leaving, compute).length > 0 ? 'todo' : 'done',
  };
}

export function deleteAgentService({host}: MoveFacts, leaving: Services): Step {
  return {
    name: 'delete-agent-service',
    what: `delete ${agent} of ${host}`,
    state: of(leaving, agent).length > 0 ? 'todo' : 'done',
  };
}

/** A provider that stays would keep another node from having its name. One whose node is still there is in use. */
export function deleteProvider(facts: MoveFacts): Step {
  const {host, nodes, services, note: noted} = facts;
  const left = noted === undefined || arrived(facts) ? [] : facts.providers;
  const names = left.map(({name, uuid}) => `${name} (${uuid})`).join(', ');
  const step = {
    name: 'delete-provider',
    what: `delete what Nova left of it in Placement${names && `: ${names}`}`,
  } as const;
  // While the service is there, deleting that takes it along; where it must not be deleted, the provider is in use.
  const isThere = of(services, compute).some(({id}) => noted?.services.includes(id));
  if (left.length === 0 || isThere) return {...step, state: 'done'};
  if (nodes.length === 0) return {...step, state: 'todo'};
  return {
    ...step,
    state: 'blocked',
    why: `Nova shows compute node ${nodes.map(({name}) => name).join(', ')} of ${host}, and no nova-compute`,
    mend: 'see that all cells answer: `openstack compute service list`',
  };
}

/** Nova maps a host to one cell only, and a mapping to the old one would stay, unnoticed. */
export function unmap(facts: MoveFacts, {to}: MoveGoal, leaving: Services): Step {
  const {host, mapped, note: noted} = facts;
  const step = {name: 'unmap', what: `${host} is not mapped to its old cell any more`} as const;
  const old = mapped && !(to !== undefined && fits(to, mapped)) ? mapped : undefined;
  if (of(leaving, compute).length > 0) return {...step, state: old === undefined ? 'done' : 'todo'};
  if (to !== undefined && isAgentBack(facts, to)) {
    return {
      ...step,
      state: 'blocked',
      why: `${agent} of ${host} has registered it again since its nova-compute was deleted: if in its old cell, the compute node is there again, and Nova deletes one only with its nova-compute`,
      mend: `if its configuration there is that of the old cell, start nova-compute there once with it, move the note away (see [cell] journal_dir), and run this again when both are stopped, and their sockets; if it is that of cell ${told(to)}, \`cellar host register\` there, or start nova-compute too`,
    };
  }
  if (old === undefined) return {...step, state: 'done'};
  const command = `\`nova-manage cell_v2 delete_host --cell_uuid ${old.uuid} --host ${host}\``;
  if (arrived(facts)) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} is mapped to ${nameOf(old)}, and its nova-compute is another than on ${noted?.since}, when the move began`,
      mend: `stop nova-compute, cellar-agent and its sockets there; if they are of the old cell, move the note away (see [cell] journal_dir) and begin anew; else ${command}`,
    };
  }
  return {
    ...step,
    state: 'blocked',
    why: `${host} has no nova-compute any more, and is mapped to ${nameOf(old)}`,
    mend: (noted?.nodes ?? []).length > 0 ? command : `${neverRan}; else ${command}`,
  };
}

/** Has an agent registered it since the note, without a nova-compute, and as far as is known not in the new cell? */
const isAgentBack = (facts: MoveFacts, to: Claim): boolean =>
  facts.mapped !== undefined &&
  !(facts.mapped && fits(to, facts.mapped)) &&
  !arrived(facts) &&
  of(unnoted(facts), agent).length > 0;

/** delete_host would leave the node, as one that is not mapped: discover_hosts would map the host to the old cell again. */
const neverRan =
  'if nova-compute has never run there, the compute node that cellar-agent made is still there, and Nova deletes one only with its nova-compute: start nova-compute there once, and move the note away where there is one (see [cell] journal_dir)';

const few = (list: readonly {id: string; status: string}[]): string => {
  const shown = list.slice(0, 3).map(({id, status}) => `${id} (${status})`);
  return [...shown, ...(list.length > 3 ? [`and ${list.length - 3} more`] : [])].join(', ');
};
