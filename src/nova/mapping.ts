/** The host mapping: it tells Nova's API and schedulers which cell a host is in. */
import {CellarError} from '../core/errors.ts';
import type {ApiDatabase, MappedTo} from './api-database.ts';
import type {Bus} from './bus.ts';
import type {CellDatabase} from './cell-database.ts';
import {type Cell, type Claim, checkAlone, chooseCell, nameOf, type Sibling} from './cells.ts';
import type {ComputeNode} from './objects.ts';

export type Mapper = {
  api: ApiDatabase;
  /** The database of the cell that the host is to be mapped to, through that cell's own conductor. */
  cell: CellDatabase;
  /** Told as soon as the mapping was made, or when nobody answers whether it was. */
  onMapped?: (outcome: 'done' | 'unknown') => void;
};

/** How many hosts of the same database are asked for the cell they are mapped to. More hosts do not cost more. */
const siblingsAsked = 3;

/**
 * The cell of whoever is on this bus, checked against the claim and against hosts of the same database. Writes nothing.
 * Fails with `conflict` when they disagree, when it cannot be told, or when the host is mapped to another cell already.
 */
export async function findCell(
  {api, cell}: Mapper,
  {host, claim, bus}: {host: string; claim: Claim; bus: Bus | undefined},
  signal: AbortSignal,
): Promise<Cell> {
  const cells = await api.cells(signal);
  const siblings = await siblingsOf({api, cell}, host, signal);
  const chosen = chooseCell(claim, bus, cells, siblings);
  const mapped = await api.mappingOf(host, signal);
  checkMapping(host, mapped, chosen);
  if (mapped === undefined) checkAlone(chosen, cells, siblings);
  return chosen;
}

/** Up to three mapped hosts that are in this cell's own database, and the cells they are mapped to. */
export async function siblingsOf({api, cell}: Mapper, host: string, signal: AbortSignal): Promise<Sibling[]> {
  const nodes = await cell.firstNodes(siblingsAsked + 1, signal);
  const hosts = nodes.flatMap(one => (one.mapped > 0 && one.host !== null && one.host !== host ? [one.host] : []));
  const siblings: Sibling[] = [];
  for (const one of new Set(hosts.slice(0, siblingsAsked))) {
    const mapped = await api.mappingOf(one, signal);
    if (mapped !== undefined) siblings.push({host: one, cell: mapped.uuid});
  }
  return siblings;
}

/**
 * Maps the host to the cell, if that cell's own database holds this compute node, and marks the record. Idempotent; a race with
 * discover_hosts ends well. A mapping to another cell, or a record that is not there, is a `conflict`: nothing is written then.
 */
export async function mapHost(
  {api, cell, onMapped = () => {}}: Mapper,
  {host, uuid, to}: {host: string; uuid: string; to: Cell},
  signal: AbortSignal,
): Promise<'created' | 'existing'> {
  const node = await cell.nodeByUuid(uuid, signal);
  checkRecord(node, host, uuid, to);
  const before = await api.mappingOf(host, signal);
  checkMapping(host, before, to);
  const outcome = before === undefined ? await toldOf(api.map(host, to, signal), onMapped, isMapped) : 'taken';
  const after = await api.mappingOf(host, signal);
  checkMapping(host, after, to);
  if (after === undefined)
    throw new CellarError('unavailable', `host ${host} was mapped to ${nameOf(to)} and is not any more`);
  if (node.mapped < 1) await cell.setMapped(node, signal);
  return outcome === 'mapped' ? 'created' : 'existing';
}

const isMapped = (outcome: 'mapped' | 'taken'): boolean => outcome === 'mapped';

/** Tells of a write that was made, and of one that failed: it may have been made all the same. */
export async function toldOf<T>(
  write: Promise<T>,
  tell: (outcome: 'done' | 'unknown') => void,
  made: (answer: T) => boolean = () => true,
): Promise<T> {
  let answer: T;
  try {
    answer = await write;
  } catch (error) {
    tell('unknown');
    throw error;
  }
  if (made(answer)) tell('done');
  return answer;
}

function checkRecord(node: ComputeNode | undefined, host: string, uuid: string, to: Cell): asserts node is ComputeNode {
  if (node !== undefined && !node.deleted && node.host === host) return;
  const what = node === undefined || node.deleted ? 'is not in its database' : `is of host ${node.host} there`;
  throw new CellarError('conflict', `${host} is not mapped to ${nameOf(to)}: compute node ${uuid} ${what}`, {
    hint: `the host's record is in another cell, or gone: see [DEFAULT] transport_url of ${host}`,
    object: host,
  });
}

/** A host without a mapping, or with this one, may be mapped. */
export function checkMapping(host: string, mapped: MappedTo | undefined, to: Pick<Cell, 'name' | 'uuid'>): void {
  if (mapped === undefined || mapped.uuid === to.uuid) return;
  throw new CellarError('conflict', `host ${host} is in ${nameOf(to)} and mapped to ${nameOf(mapped)}`, {
    hint: `\`nova-manage cell_v2 delete_host --cell_uuid ${mapped.uuid} --host ${host}\` takes the wrong mapping away, once the host has no instances there`,
    object: host,
  });
}
