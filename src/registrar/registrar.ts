/** What is done for a host: its cell found, and the host mapped there, by what the cell's own database says. */
import {asCellarError, CellarError} from '../core/errors.ts';
import type {ApiDatabase} from '../nova/api-database.ts';
import type {CellDatabase} from '../nova/cell-database.ts';
import {agreeing, type Cell, checkAlone, nameOf} from '../nova/cells.ts';
import {checkMapping, mapHost, siblingsOf, toldOf} from '../nova/mapping.ts';
import {computeBinary} from '../nova/register.ts';
import {isRemote} from '../oslo/remote-error.ts';
import type {Cells} from './cells.ts';
import {
  type Caller,
  checkRecord,
  chooseForHost,
  isStaging,
  mayRegister,
  planStaging,
  type Says,
  stagingReason,
  strayStaging,
} from './policy.ts';
import type {CellAnswer, CellRequest, HostAnswer, HostRequest, MappingAnswer} from './wire.ts';

export type RegistrarRules = {defaultCell: string | undefined; stagingCells: readonly string[]};

/** Something in Nova was changed. `unknown`: it was asked for, and whether it was done nobody has answered. */
export type Change = {
  action: 'host-mapped' | 'service-disabled';
  host: string;
  node: string;
  uuid: string;
  cell: Pick<Cell, 'name' | 'uuid'>;
  outcome?: 'unknown';
};

export type RegistrarOptions = {
  /** Through the super-conductor. */
  api: ApiDatabase;
  cells: Pick<Cells, 'use'>;
  rules: RegistrarRules;
};

/** For one request. */
export type Asked = {caller: Caller; signal: AbortSignal; audit(change: Change): void};

export class Registrar {
  readonly #options: RegistrarOptions;

  constructor(options: RegistrarOptions) {
    this.#options = options;
  }

  /** The cell that the host would be mapped to. Nothing is written. `conflict` when it cannot be, or is elsewhere already. */
  async findCell(request: CellRequest, {caller, signal}: Asked): Promise<CellAnswer> {
    mayRegister(caller, request.host);
    const cells = await this.#cells(signal);
    const cell = this.#choose(request, cells);
    await this.#in(cell, signal, database => this.#agrees(cell, cells, request.host, database, signal));
    return {schema: 1, host: request.host, cell: named(cell)};
  }

  /**
   * Maps the host to its cell, if that cell's own database holds its compute node. Idempotent. In a staging cell its
   * nova-compute is disabled first, and without one it is `unavailable`; so is all while a staging cell is none.
   */
  async mapHost(request: HostRequest, {caller, signal, audit}: Asked): Promise<HostAnswer> {
    const {host, node, uuid} = request;
    mayRegister(caller, host);
    const cells = await this.#cells(signal);
    checkStaging(cells, this.#options.rules.stagingCells);
    const to = this.#choose(request, cells);
    const change = {host, node, uuid, cell: named(to)};
    const mapped = await this.#in(to, signal, async database => {
      await this.#agrees(to, cells, host, database, signal);
      checkRecord(await database.nodeByUuid(uuid, signal), request, to);
      if (isStaging(to, this.#options.rules.stagingCells)) {
        const onDisabled = audited(audit, {action: 'service-disabled', ...change});
        await this.#stage(to, host, database, onDisabled, signal);
      }
      const onMapped = audited(audit, {action: 'host-mapped', ...change});
      return mapHost({api: this.#options.api, cell: database, onMapped}, {host, uuid, to}, signal);
    });
    return {schema: 1, host, node, uuid, cell: named(to), mapped};
  }

  /** Which cell the host is mapped to. */
  async showHost(host: string, {caller, signal}: Asked): Promise<MappingAnswer> {
    mayRegister(caller, host);
    const mapped = await outward(this.#options.api.mappingOf(host, signal), 'the API database');
    return {schema: 1, host, cell: mapped === undefined ? null : {name: mapped.name, uuid: mapped.uuid}};
  }

  #cells(signal: AbortSignal): Promise<Cell[]> {
    return outward(this.#options.api.cells(signal), 'the API database');
  }

  #choose(says: Says, cells: readonly Cell[]): Cell {
    return chooseForHost(says, cells, this.#options.rules.defaultCell);
  }

  /** Hosts of the same database are asked too: a cell mapping may lead to the wrong message bus. */
  async #agrees(
    cell: Cell,
    cells: readonly Cell[],
    host: string,
    database: CellDatabase,
    signal: AbortSignal,
  ): Promise<void> {
    const {api} = this.#options;
    const siblings = await siblingsOf({api, cell: database}, host, signal);
    agreeing(cell, siblings);
    const mapped = await api.mappingOf(host, signal);
    checkMapping(host, mapped, cell);
    if (mapped === undefined) checkAlone(cell, cells, siblings);
  }

  async #stage(
    cell: Cell,
    host: string,
    database: CellDatabase,
    onDisabled: (outcome: 'done' | 'unknown') => void,
    signal: AbortSignal,
  ): Promise<void> {
    const compute = await database.service(host, computeBinary, signal);
    const plan = planStaging(compute);
    if (plan === 'wait' || compute === undefined) {
      throw new ForCaller(
        'unavailable',
        `${nameOf(cell)} is a staging cell, and ${host} has no nova-compute yet that could be disabled`,
        {hint: 'start nova-compute: the host is mapped as soon as it is disabled', object: host},
      );
    }
    if (plan === 'disable') await toldOf(database.disable(compute, stagingReason(cell), signal), onDisabled);
  }

  #in<T>(cell: Cell, signal: AbortSignal, act: (database: CellDatabase) => Promise<T>): Promise<T> {
    return outward(this.#options.cells.use(cell, signal, act), nameOf(cell));
  }
}

/** A name that was misspelt may be that of any cell: its hosts would be mapped and scheduled onto. */
function checkStaging(cells: readonly Cell[], staging: readonly string[]): void {
  const stray = strayStaging(cells, staging);
  if (stray.length === 0) return;
  throw new ForCaller(
    'unavailable',
    `the registrar maps no host: its staging_cells name ${stray.join(', ')}, and there is no such cell`,
    {
      hint: 'correct [registrar] staging_cells of the registrar: `nova-manage cell_v2 list_cells` prints names and uuids',
    },
  );
}

/** At once, so that nothing that goes wrong after a change leaves it without a line. */
const audited =
  (audit: Asked['audit'], change: Change) =>
  (outcome: 'done' | 'unknown'): void =>
    audit(outcome === 'done' ? change : {...change, outcome});

const named = ({name, uuid}: Pick<Cell, 'name' | 'uuid'>) => ({name, uuid});

/**
 * What goes wrong behind us is not the caller's doing: a login that RabbitMQ refuses is ours. It is told what could not be
 * asked; the log says why, with the names of servers that are none of its business.
 */
async function outward<T>(asked: Promise<T>, what: string): Promise<T> {
  try {
    return await asked;
  } catch (thrown) {
    const error = asCellarError(thrown);
    const decided = (error.kind === 'conflict' || error.kind === 'cancelled') && !isRemote(error);
    if (decided || error instanceof ForCaller) throw error;
    throw new ForCaller('unavailable', `${what} cannot be asked now`, {
      hint: 'the log of cellar-registrar says why',
      cause: error,
    });
  }
}

/** Words that were chosen for callers. */
class ForCaller extends CellarError {}
