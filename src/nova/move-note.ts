/** What is noted of a host before it leaves its cell: Nova forgets it with the service. */
import {told} from './cells.ts';
import {
  agent,
  arrived,
  type ComputeServiceRow,
  compute,
  type MoveFacts,
  type MoveGoal,
  type MoveNote,
  of,
  unnoted,
} from './move-facts.ts';
import type {Step} from './move-steps.ts';

/** What is known of the host, and was: what Nova forgets with the service is kept, and what it got since is added. */
export function noteOf(facts: MoveFacts, now: Date): MoveNote {
  const {host, services, nodes, aggregates, note: noted} = facts;
  return {
    schema: 1,
    host,
    since: noted?.since ?? now.toISOString(),
    services: [...(noted?.services ?? services.map(({id}) => id)), ...late(facts)],
    nodes: [...(noted?.nodes ?? []), ...nodes.filter(({uuid}) => !noted?.nodes.some(one => one.uuid === uuid))],
    aggregates: [
      ...(noted?.aggregates ?? []),
      ...aggregates.filter(({id}) => !noted?.aggregates.some(one => one.id === id)),
    ],
  };
}

/** An agent that registers after the note was made is of the old cell as long as nova-compute is, and only that one. */
function late(facts: MoveFacts): string[] {
  const noted = of(facts.services, compute).filter(({id}) => facts.note?.services.includes(id));
  return noted.length > 0 && !arrived(facts) ? of(unnoted(facts), agent).map(({id}) => id) : [];
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

/** Nothing is noted of a host that is not whole, or that may be in its new cell already. */
export function note(facts: MoveFacts, {to}: MoveGoal, leaving: readonly ComputeServiceRow[]): Step {
  const {host, note: noted, nodes, mapped} = facts;
  const old = of(leaving, compute);
  const all = old.length > 0 && !arrived(facts) ? noteOf(facts, new Date(0)) : noted;
  const list = (all ?? facts).aggregates.map(({name}) => name).join(', ') || 'none';
  const step = {name: 'note', what: `note what the host is now, for afterwards; its aggregates: ${list}`} as const;
  const others = unnoted({...facts, note: all}).map(({binary}) => binary);
  if (to === undefined && others.length > 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${[...new Set(others)].join(' and ')} of ${host} is another than on ${noted?.since}, when what the host was before it left its cell was noted`,
      mend: 'stop it if it should not run; if the host is to leave the cell that it is in now, move the note away (see [cell] journal_dir)',
    };
  }
  if (noted !== undefined) return {...step, state: all !== undefined && hasMore(all, noted) ? 'todo' : 'done'};
  if (leaving.length === 0) return {...step, state: 'done'};
  if (to !== undefined && mapped === undefined) {
    return {
      ...step,
      state: 'blocked',
      why: `nobody was asked which cell ${host} is in now: it may be in cell ${told(to)} already`,
      mend: 'set [registrar] url here',
    };
  }
  if (old.length === 0 && of(leaving, agent).length > 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} has ${agent} and no nova-compute: the compute node that the agent made would stay, as Nova deletes one only with its nova-compute`,
      mend: `start nova-compute there once; if it had one that was deleted, and ${agent} has not been started since, stop that and its sockets: all that is left is \`openstack compute service delete\` of it, and of its mapping \`nova-manage cell_v2 delete_host\``,
    };
  }
  if (to !== undefined && mapped === null && old.length > 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} has a nova-compute, and is mapped to no cell: it may be in cell ${told(to)} already`,
      mend: 'map it to the cell it is in: `cellar host register` there, or `nova-manage cell_v2 discover_hosts`',
    };
  }
  if (old.length > 0 && nodes.length === 0) {
    return {
      ...step,
      state: 'blocked',
      why: `${host} has a nova-compute, and Nova shows no compute node of it: what is in Placement would stay there`,
      mend: `see that it is mapped, and that its cell answers: \`openstack hypervisor list\`; if it never had one, \`openstack compute service delete\``,
    };
  }
  return {...step, state: 'todo'};
}

const hasMore = (all: MoveNote, noted: MoveNote): boolean =>
  (['services', 'nodes', 'aggregates'] as const).some(what => all[what].length > noted[what].length);
