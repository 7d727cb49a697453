/** The databases of the cells, each through its own conductor: connections that are made when a cell is first asked. */
import type {ApiDatabase} from '../nova/api-database.ts';
import {CellDatabase} from '../nova/cell-database.ts';
import type {Cell} from '../nova/cells.ts';
import {Conductor} from '../oslo/conductor.ts';
import type {RpcClient} from '../oslo/rpc.ts';

type Open = {url: string; rpc: RpcClient; database: CellDatabase; users: number};

export type CellsOptions = {
  api: Pick<ApiDatabase, 'transportUrl'>;
  /** Makes a client of the message bus at this URL. It is the only one who is told the URL. */
  connect(url: string): RpcClient;
  /** Connections that are kept at once. Those in use stay. */
  limit?: number;
};

export class Cells {
  readonly #options: CellsOptions;
  readonly #open = new Map<string, Open>();
  /** Those that were replaced or are too many, until their last user is done. */
  readonly #leaving = new Set<Open>();

  constructor(options: CellsOptions) {
    this.#options = options;
  }

  /** Gives the database of the cell to `act`. The cell mapping is read each time, so that a changed URL counts at once. */
  async use<T>(
    {uuid}: Pick<Cell, 'uuid'>,
    signal: AbortSignal,
    act: (database: CellDatabase) => Promise<T>,
  ): Promise<T> {
    const url = await this.#options.api.transportUrl(uuid, signal);
    const open = this.#opened(uuid, url);
    open.users += 1;
    try {
      return await act(open.database);
    } finally {
      open.users -= 1;
      this.#tidy();
    }
  }

  /** Ends all connections; calls in flight fail as cancelled. */
  async close(): Promise<void> {
    const all = [...this.#open.values(), ...this.#leaving];
    this.#open.clear();
    this.#leaving.clear();
    await Promise.all(all.map(({rpc}) => rpc.close()));
  }

  #opened(uuid: string, url: string): Open {
    const known = this.#open.get(uuid);
    this.#open.delete(uuid); // and to the end: the first is the one that was not used for the longest time
    if (known !== undefined && known.url !== url) this.#leaving.add(known);
    const open = known?.url === url ? known : this.#connect(url);
    this.#open.set(uuid, open);
    return open;
  }

  #connect(url: string): Open {
    const rpc = this.#options.connect(url);
    return {url, rpc, database: new CellDatabase(new Conductor(rpc)), users: 0};
  }

  #tidy(): void {
    const {limit = 64} = this.#options;
    for (const [uuid, open] of this.#open) {
      if (this.#open.size <= limit) break;
      if (open.users > 0) continue;
      this.#open.delete(uuid);
      this.#leaving.add(open);
    }
    for (const open of this.#leaving) {
      if (open.users > 0) continue;
      this.#leaving.delete(open);
      void open.rpc.close();
    }
  }
}
