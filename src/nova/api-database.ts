/** The API database, through a conductor that has it: the superconductor's, or a cell's that was given [api_database]. */
import {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import type {Conductor} from '../oslo/conductor.ts';
import {Draft, readList, readObject} from '../oslo/objects.ts';
import {isRemote} from '../oslo/remote-error.ts';
import {absent} from './absent.ts';
import {busOf} from './bus.ts';
import type {Cell} from './cells.ts';
import {classes, fields, lists} from './objects.ts';

/** The cell that a host is mapped to. */
export type MappedTo = Pick<Cell, 'id' | 'uuid' | 'name'>;

export type Lacking = {message: string; hint: string};

/** A cell's conductor often has no API database, on purpose. */
const inCell: Lacking = {
  message: "the conductor of this host's cell has no [api_database]: it cannot map hosts",
  hint: 'set [cell] registration = registrar where there is a cellar-registrar, or registration = record and let `nova-manage cell_v2 discover_hosts` map the host, or give the conductor [api_database] connection',
};

export class ApiDatabase {
  readonly #conductor: Conductor;
  readonly #lacking: Lacking;

  /** `lacking`: what to say when the conductor has no API database. */
  constructor(conductor: Conductor, lacking: Lacking = inCell) {
    this.#conductor = conductor;
    this.#lacking = lacking;
  }

  /** All cells. The answer holds the passwords of every cell's database and message bus: only what is returned outlives this call. */
  async cells(signal: AbortSignal): Promise<Cell[]> {
    const asked = this.#conductor.classAction(lists.cellMapping, 'get_all', [], {signal});
    return readList(await this.#answered(asked), 'CellMappingList', 'CellMapping').map(one => {
      const {id, uuid, name, disabled, transport_url} = fields(one, cellSchema);
      return {id, uuid, name: name ?? null, disabled: disabled ?? false, bus: busOf(transport_url)};
    });
  }

  /**
   * Where the message bus of a cell is, with the login there: for connecting only, never to be told, logged or written. Fails
   * with `not-found` when there is no such cell.
   */
  async transportUrl(uuid: string, signal: AbortSignal): Promise<string> {
    const asked = this.#conductor.classAction(classes.cellMapping, 'get_by_uuid', [uuid], {signal});
    const {transport_url} = fields(readObject(await this.#answered(asked), 'CellMapping'), cellSchema);
    return transport_url;
  }

  /** The cell that a host is mapped to; undefined: none. */
  async mappingOf(host: string, signal: AbortSignal): Promise<MappedTo | undefined> {
    const asked = this.#conductor.classAction(classes.hostMapping, 'get_by_host', [host], {signal});
    const mapping = await absent(this.#answered(asked), 'HostMappingNotFound');
    if (mapping === undefined) return undefined;
    const cell = readObject(readObject(mapping, 'HostMapping').data['cell_mapping'], 'CellMapping');
    const {id, uuid, name} = fields(cell, mappedSchema);
    return {id, uuid, name: name ?? null};
  }

  /** Maps the host; `taken` when it is mapped already, to this cell or another. */
  async map(host: string, {id, uuid}: Cell, signal: AbortSignal): Promise<'mapped' | 'taken'> {
    const cell = new Draft(classes.cellMapping, {id, uuid}, []);
    const asked = this.#conductor.action(new Draft(classes.hostMapping, {host, cell_mapping: cell}), 'create', [], {
      signal,
    });
    return (await absent(this.#answered(asked), 'DBDuplicateEntry')) === undefined ? 'taken' : 'mapped';
  }

  async #answered<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked;
    } catch (error) {
      if (!isRemote(error, 'CantStartEngineError')) throw error;
      const {message, hint} = this.#lacking;
      throw new CellarError('config', message, {hint, cause: error});
    }
  }
}

const mappedSchema = z.object({id: z.int(), uuid: z.string(), name: z.string().nullish()});
const cellSchema = mappedSchema.extend({transport_url: z.string(), disabled: z.boolean().nullish()});
