/** Which cell this host is in. */
import {CellarError} from '../core/errors.ts';
import {type Bus, sameBus} from './bus.ts';

/** A cell mapping without its URLs, which hold the passwords of all cells' databases and message buses. */
export type Cell = {id: number; uuid: string; name: string | null; disabled: boolean; bus: Bus | undefined};

/** What `[cell]` says. */
export type Claim = {name?: string | undefined; uuid?: string | undefined};

/** A host of this cell's own database, and the cell it is mapped to. */
export type Sibling = {host: string; cell: string};

/** cell0 holds instances that could not be scheduled, and no hosts. */
const cell0 = '00000000-0000-0000-0000-000000000000';

/** Cells that may have hosts. */
export const withHosts = (cells: readonly Cell[]): Cell[] => cells.filter(({uuid}) => uuid !== cell0);

/**
 * The cell whose message bus is the one we are on. A claim must agree with it; without one it must be the only such cell.
 * Hosts that are in the same database are asked too: mappings that are templates are filled in by whoever reads them, and can
 * make two cells look alike. Fails with `conflict`.
 */
export function chooseCell(
  claim: Claim,
  ours: Bus | undefined,
  cells: readonly Cell[],
  siblings: readonly Sibling[],
): Cell {
  const real = withHosts(cells);
  const here = real.filter(({bus}) => bus !== undefined && ours !== undefined && sameBus(bus, ours));
  const claimed = real.filter(cell => fits(claim, cell));
  const [cell, second] = here.filter(one => fits(claim, one));
  if (claimed.length === 0) {
    throw new CellarError('conflict', `there is no cell ${told(claim)} among ${listed(real)}`, {
      hint: 'correct [cell] name and uuid: `nova-manage cell_v2 list_cells` prints both',
    });
  }
  if (cell === undefined) throw elsewhere(claim, claimed, here);
  if (second !== undefined) {
    throw new CellarError('conflict', `this host's message bus is that of several cells: ${listed(here)}`, {
      hint: 'set [cell] uuid to the one it is in',
    });
  }
  return agreeing(cell, siblings);
}

/** Does the cell agree with what is claimed? Nothing claimed fits every cell. */
export const fits = ({name, uuid}: Claim, cell: Pick<Cell, 'name' | 'uuid'>): boolean =>
  (uuid === undefined || uuid.toLowerCase() === cell.uuid.toLowerCase()) && (name === undefined || name === cell.name);

function elsewhere(claim: Claim, claimed: readonly Cell[], here: readonly Cell[]): CellarError {
  if (here.length > 0) {
    return new CellarError(
      'conflict',
      `[cell] says ${told(claim)}, this host's message bus is that of ${listed(here)}`,
      {
        hint: 'correct [cell], or [DEFAULT] transport_url: nothing was mapped',
      },
    );
  }
  const which = claim.name === undefined && claim.uuid === undefined ? 'of no cell' : `not that of ${listed(claimed)}`;
  return new CellarError('conflict', `this host's message bus is ${which}`, {
    hint: 'write the same server names into [DEFAULT] transport_url and, with `nova-manage cell_v2 update_cell`, into the cell mapping',
  });
}

/** Its mapped hosts are mapped to it, if it has any. */
export function agreeing(cell: Cell, siblings: readonly Sibling[]): Cell {
  const [other] = siblings;
  if (other === undefined || siblings.some(one => one.cell === cell.uuid)) return cell;
  throw new CellarError(
    'conflict',
    `by its message bus this host is in ${nameOf(cell)}, but ${other.host}, which is in the same database, is mapped to the cell ${other.cell}`,
    {hint: 'one of the two cell mappings has the wrong transport_url: see `nova-manage cell_v2 list_cells --verbose`'},
  );
}

/**
 * Cells with the same message bus have the same conductors: nobody can tell whose database answers but by hosts that are
 * mapped already. `conflict` while there are none.
 */
export function checkAlone(cell: Cell, cells: readonly Cell[], siblings: readonly Sibling[]): void {
  const {bus} = cell;
  const alike = withHosts(cells).filter(one => one.bus !== undefined && bus !== undefined && sameBus(one.bus, bus));
  if (alike.length < 2 || siblings.length > 0) return;
  throw new CellarError('conflict', `${listed(alike)} have the same message bus, and no host there is mapped yet`, {
    hint: 'start nova-compute there and map this first host with `nova-manage cell_v2 discover_hosts --cell_uuid`, or correct the cell mappings: `nova-manage cell_v2 list_cells --verbose`',
  });
}

/** A claim for people. */
export function told({name, uuid}: Claim): string {
  return [name, uuid].filter(one => one !== undefined).join(', ');
}

/** A cell for people. */
export const nameOf = ({name, uuid}: Pick<Cell, 'name' | 'uuid'>): string =>
  name ? `cell ${name} (${uuid})` : `cell ${uuid}`;

/** Cells for people. */
export const listed = (cells: readonly Cell[]): string => cells.map(nameOf).join(', ') || 'no cells';
