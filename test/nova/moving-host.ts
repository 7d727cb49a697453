/** A host that moves from cell1 to cell2, as tests look at it. */
import type {MoveFacts, MoveGoal, MoveNote} from '../../src/nova/move-facts.ts';

export const cell1 = {name: 'cell1', uuid: 'ce110001-0000-4000-8000-000000000001'};
export const cell2 = {name: 'cell2', uuid: 'ce110002-0000-4000-8000-000000000002'};
export const node = {name: 'compute-1.example', uuid: 'aaaaaaaa-0000-4000-8000-000000000001'};
export const toCell2: MoveGoal = {to: {name: 'cell2'}};
export const leave: MoveGoal = {to: undefined};

export const service = (binary: string, id: string, more: object = {}) =>
  ({id, binary, state: 'down', status: 'disabled', reason: null, ...more}) as MoveFacts['services'][number];

/** A host that is in cell1, empty, and off. */
export const facts: MoveFacts = {
  host: 'compute-1',
  services: [service('nova-compute', 's1'), service('nova-cellar-agent', 's2')],
  servers: [],
  migrations: [],
  aggregates: [{id: 3, name: 'ssd'}],
  nodes: [node],
  providers: [{...node, allocations: 0}],
  mapped: cell1,
  note: undefined,
};
export const note: MoveNote = {
  schema: 1,
  host: 'compute-1',
  since: '2026-11-22T00:00:00Z',
  services: ['s1', 's2'],
  nodes: [node],
  aggregates: facts.aggregates,
};
export const noted = {...facts, note};
export const back = [service('nova-compute', 's8', {state: 'up', status: 'enabled'})];
export const more = [...facts.aggregates, {id: 4, name: 'fast'}];
export const other = {name: 'compute-1-b.example', uuid: 'aaaaaaaa-0000-4000-8000-000000000002'};
export const gone = {...noted, services: [], nodes: [], aggregates: [], providers: [], mapped: null};
