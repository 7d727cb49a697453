/** The agent's own row in `services`: by it `openstack compute service list` shows whether the agent is up. */
import type {CellDatabase} from './cell-database.ts';
import type {Service} from './objects.ts';

/** Nova takes only binaries whose name begins so; its rules about nova-compute do not look at others. */
export const agentService = {binary: 'nova-cellar-agent', topic: 'cellar-agent'} as const;

export class Heartbeat {
  readonly #cell: CellDatabase;
  readonly #host: string;
  #row: Service | undefined;

  constructor(cell: CellDatabase, host: string) {
    this.#cell = cell;
    this.#host = host;
  }

  /** One sign of life. The row is found or made first, and made again when somebody deleted it. */
  async beat(signal: AbortSignal): Promise<void> {
    const row = this.#row ?? (await this.#find(signal));
    const next = {...row, report_count: row.report_count + 1};
    this.#row = (await this.#cell.beat(next, signal)) ? next : undefined;
    if (this.#row === undefined) await this.#find(signal);
  }

  /** No version is written: a row of its own binary without one bounds nobody, of whatever release the conductors are. */
  async #find(signal: AbortSignal): Promise<Service> {
    const {binary, topic} = agentService;
    const found = await this.#cell.service(this.#host, binary, signal);
    this.#row = found ?? (await this.#cell.createService({host: this.#host, binary, topic}, signal));
    return this.#row;
  }
}
