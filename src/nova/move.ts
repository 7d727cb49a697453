/** How a host leaves its cell, and gets into another: steps, each by what Nova says now. Whoever runs them again goes on where it was. */
import {CellarError} from '../core/errors.ts';
import {type Claim, fits, nameOf, told} from './cells.ts';
import {compute, isNowhere, leavingOf, type MoveFacts, type MoveGoal, of} from './move-facts.ts';
import {note} from './move-note.ts';
import {
  deleteAgentService,
  deleteProvider,
  deleteService,
  disable,
  empty,
  type Step,
  stop,
  unmap,
} from './move-steps.ts';

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
    deleteProvider(facts),
    unmap(facts, goal, leaving),
  ];
  return goal.to === undefined ? leave : [...leave, arrive(facts, goal.to)];
}

/** The first step that is not done; undefined: it is all done. */
export const nextStep = (steps: readonly Step[]): Step | undefined => steps.find(({state}) => state !== 'done');

function arrive({host, mapped, services, note: noted}: MoveFacts, to: Claim): Step {
  const step = {
    name: 'arrive',
    what: `${host} is started with the configuration of cell ${told(to)}, and is mapped there`,
  } as const;
  if (mapped && fits(to, mapped)) {
    if (!of(services, compute).some(({id}) => noted?.services.includes(id))) return {...step, state: 'done'};
    return {
      ...step,
      state: 'blocked',
      why: `${host} is mapped to ${nameOf(mapped)}, and has the nova-compute that was noted on ${noted?.since}: if that is of its old cell, whoever deletes it now takes the new mapping along`,
      mend: `if it is of cell ${told(to)}, move the note away (see [cell] journal_dir); else, while the host has no servers, stop nova-compute, cellar-agent and its sockets there, \`nova-manage cell_v2 delete_host --cell_uuid ${mapped.uuid} --host ${host}\``,
    };
  }
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
