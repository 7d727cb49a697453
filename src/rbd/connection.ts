import {CellarError} from '../core/errors.ts';
import {abortable} from '../core/single-flight.ts';
import {fromRbd, isRbdError} from './errors.ts';
import type {ConnectOptions, NativeBinding, NativeCluster, NativePool} from './native.ts';

export type ConnectionOptions = {
  binding: NativeBinding;
  connect: ConnectOptions;
  /** The fsid this host's cell is pinned to, if any: another cluster is refused. */
  expectedFsid?: string;
};

type Live = {cluster: NativeCluster; pools: Map<string, Promise<NativePool>>};

/**
 * One rados connection, made when first used and again after it was lost. A blocklisted session (ESHUTDOWN) can do nothing
 * any more, whatever the pool: it is dropped, and the next call gets a new one. Pools are opened once and kept.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  #live: Promise<Live> | undefined;
  #current: Live | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** The cluster, connected. Fails with `unavailable` or `timeout` while it is down, `config` when it is not this cell's. */
  async cluster(signal: AbortSignal): Promise<NativeCluster> {
    return (await this.#connected(signal)).cluster;
  }

  /** Runs `work` on the pool. Failures become CellarErrors. `work` is not interrupted; see core/ports. */
  async use<V>(
    pool: string,
    signal: AbortSignal,
    work: (pool: NativePool, cluster: NativeCluster) => Promise<V>,
  ): Promise<V> {
    const live = await this.#connected(signal);
    try {
      return await work(await this.#pool(live, pool), live.cluster);
    } catch (error) {
      if (isRbdError(error, 'ESHUTDOWN', 'ENOTCONN')) this.#drop(live);
      throw fromRbd(error);
    }
  }

  /** Waits for what runs, then disconnects. Idempotent; nothing can be used after it. */
  async close(): Promise<void> {
    this.#closed = true;
    const live = await this.#live?.catch(() => undefined);
    await live?.cluster.close();
  }

  async #connected(signal: AbortSignal): Promise<Live> {
    signal.throwIfAborted();
    if (this.#closed) throw new CellarError('cancelled', 'the agent is stopping', {hint: 'try again when it runs'});
    this.#live ??= this.#connect().catch(error => {
      this.#live = undefined;
      throw error;
    });
    return abortable(this.#live, signal);
  }

  async #connect(): Promise<Live> {
    const {binding, connect, expectedFsid} = this.#options;
    const cluster = await binding.connect(connect).catch(error => {
      const hint = `check ${connect.conf}, that its monitors are up, and the keyring of client.${connect.user}`;
      throw fromRbd(error, {hint, object: `client.${connect.user}`});
    });
    if (expectedFsid !== undefined && expectedFsid !== cluster.fsid) {
      await cluster.close();
      throw new CellarError(
        'config',
        `${connect.conf} leads to the cluster ${cluster.fsid}, but [cell] expected_fsid is ${expectedFsid}`,
        {
          hint: 'this host serves no disks until one of the two is mended',
        },
      );
    }
    this.#current = {cluster, pools: new Map()};
    return this.#current;
  }

  #pool({cluster, pools}: Live, name: string): Promise<NativePool> {
    const known = pools.get(name);
    if (known !== undefined) return known;
    const opening = cluster.openPool(name);
    pools.set(name, opening);
    opening.catch(() => pools.delete(name)); // it may be created later
    return opening;
  }

  /** Calls that were in flight all fail: the first one drops the session, and none of them the next session. */
  #drop(live: Live): void {
    if (this.#current !== live) return;
    this.#current = undefined;
    this.#live = undefined;
    live.cluster.close().catch(() => {});
  }
}
