/** A cell's database, through the conductor of that cell. */
import type {Conductor} from '../oslo/conductor.ts';
import {serviceContext} from '../oslo/context.ts';
import {Draft} from '../oslo/objects.ts';
import {isRemote} from '../oslo/remote-error.ts';
import {absent} from './absent.ts';
import type {Inventory} from './host-facts.ts';
import {
  type ComputeNode,
  classes,
  lists,
  readComputeNode,
  readComputeNodes,
  readService,
  type Service,
} from './objects.ts';

/** What Nova says of a host or node it has no record of. */
const unknown = 'ComputeHostNotFound';

/** `[DEFAULT] cpu_allocation_ratio` and its like, where they are set. */
export type Ratios = {cpu_allocation_ratio?: number; ram_allocation_ratio?: number; disk_allocation_ratio?: number};

export type NewNode = {uuid: string; host: string; hypervisor_hostname: string; inventory: Inventory; ratios: Ratios};

export class CellDatabase {
  readonly #conductor: Conductor;

  constructor(conductor: Conductor) {
    this.#conductor = conductor;
  }

  /** All compute nodes of a host. */
  async nodesOfHost(host: string, signal: AbortSignal): Promise<ComputeNode[]> {
    const asked = this.#conductor.classAction(lists.computeNode, 'get_all_by_host', [host], {signal});
    const list = await absent(asked, unknown);
    return list === undefined ? [] : readComputeNodes(list);
  }

  /** The compute node with this uuid, a deleted one too: Nova would restore it. */
  async nodeByUuid(uuid: string, signal: AbortSignal): Promise<ComputeNode | undefined> {
    const context = {...serviceContext(), read_deleted: 'yes'};
    const asked = this.#conductor.classAction(classes.computeNode, 'get_by_uuid', [uuid], {signal, context});
    const one = await absent(asked, unknown);
    return one === undefined ? undefined : readComputeNode(one);
  }

  /** The compute node with this hypervisor hostname, of whatever host. */
  async nodeByName(name: string, signal: AbortSignal): Promise<ComputeNode | undefined> {
    const asked = this.#conductor.classAction(classes.computeNode, 'get_by_nodename', [name], {signal});
    const one = await absent(asked, unknown);
    return one === undefined ? undefined : readComputeNode(one);
  }

  /** The oldest compute nodes of the cell, `limit` at most. */
  async firstNodes(limit: number, signal: AbortSignal): Promise<ComputeNode[]> {
    const page = [limit, null];
    return readComputeNodes(await this.#conductor.classAction(lists.computeNode, 'get_by_pagination', page, {signal}));
  }

  /**
   * Makes the record. The uuid must be one that no living record has (Nova would overwrite it): ask for it first. Whoever
   * calls reads it back: between two hosts with the same uuid the later one wins. A deleted record with the uuid is restored.
   */
  async createNode({uuid, host, hypervisor_hostname, inventory, ratios}: NewNode, signal: AbortSignal): Promise<void> {
    const {supported_hv_specs, ...numbers} = inventory;
    const specs = supported_hv_specs.map(spec => new Draft(classes.hvSpec, spec));
    // A record that is restored keeps what is not said: its mapping went with its service, and discover_hosts would not look.
    const data = {uuid, host, hypervisor_hostname, mapped: 0, ...numbers, ...ratios, supported_hv_specs: specs};
    await this.#conductor.action(new Draft(classes.computeNode, data), 'create', [], {signal});
  }

  /** Notes that the record has a host mapping, so that discover_hosts need not look at it. */
  async setMapped({id}: ComputeNode, signal: AbortSignal): Promise<void> {
    const draft = new Draft(classes.computeNode, {id, mapped: 1}, ['mapped']);
    await this.#conductor.action(draft, 'save', [], {signal, idempotent: true});
  }

  async service(host: string, binary: string, signal: AbortSignal): Promise<Service | undefined> {
    const key = [host, binary];
    const one = await this.#conductor.classAction(classes.service, 'get_by_host_and_binary', key, {signal});
    return one === null ? undefined : readService(one);
  }

  /**
   * Makes a service's row. Conductors that do not know the binary fail in telling others of it, with the row made: so the
   * row is looked for, whatever came of it.
   */
  async createService(row: {host: string; binary: string; topic: string}, signal: AbortSignal): Promise<Service> {
    const draft = new Draft(classes.service, {...row, report_count: 0});
    const failure = await this.#conductor.action(draft, 'create', [], {signal}).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure !== undefined && !isRemote(failure)) throw failure;
    const made = await this.service(row.host, row.binary, signal);
    if (made === undefined) throw failure;
    return made;
  }

  /** Keeps the scheduler from placing instances on the service's host, and says why to whoever lists services. */
  async disable({id}: Service, reason: string, signal: AbortSignal): Promise<void> {
    const data = {id, disabled: true, disabled_reason: reason};
    const draft = new Draft(classes.service, data, ['disabled', 'disabled_reason']);
    await this.#conductor.action(draft, 'save', [], {signal, idempotent: true});
  }

  /** A sign of life: the count goes up, and Nova notes when. False: the row is gone. */
  async beat({id, report_count}: Service, signal: AbortSignal): Promise<boolean> {
    const draft = new Draft(classes.service, {id, report_count}, ['report_count']);
    const asked = this.#conductor.action(draft, 'save', [], {signal, idempotent: true});
    const saved = await absent(asked, 'ServiceNotFound');
    return saved !== undefined;
  }
}
