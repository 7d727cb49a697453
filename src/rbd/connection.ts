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
 * any more, whatever the pool: it is dropped, and the next call gets a new one. Pools are opened once and kept, by their id: of
 * one that was removed librados says that there is no such object, and that is an answer only as long as the pool is there.
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

  /**
   * Runs `work` on the pool. Failures become CellarErrors. `work` is not interrupted; see core/ports. When it finds nothing (see
   * `isNothing`), and the pool was removed meanwhile, that is the answer: `unavailable` if there is another one of its name.
   */
  async use<V>(
    pool: string,
    signal: AbortSignal,
    work: (pool: NativePool, cluster: NativeCluster) => Promise<V>,
  ): Promise<V> {
    const live = await this.#connected(signal);
    try {
      const opened = await this.#pool(live, pool);
      try {
        const found = await work(opened, live.cluster);
        if (isNothing(found)) await this.#checkPool(live, opened);
        return found;
      } catch (error) {
        if (isRbdError(error, 'ENOENT')) await this.#checkPool(live, opened);
        throw error;
      }
    } catch (error) {
      if (isRbdError(error, 'ESHUTDOWN', 'ENOTCONN')) this.#drop(live);
      throw fromRbd(error);
    }
  }

  /** Is there a pool of this name by now? Whatever we may do in it. */
  async hasPool(name: string, signal: AbortSignal): Promise<boolean> {
    const {cluster} = await this.#connected(signal);
    try {
      const pool = await cluster.openPool(name);
      pool.close().catch(() => {});
      return true;
    } catch (error) {
      if (isRbdError(error, 'ENOENT')) return false;
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

  /**
   * Fails when the pool is not the one of its name any more, and forgets it: the next call opens it anew. Opening asks librados's
   * map of the cluster, which is as new as the answer that made us ask: no more than a call to a thread.
   */
  async #checkPool({cluster, pools}: Live, opened: NativePool): Promise<void> {
    const {name, id} = opened;
    let now: NativePool | undefined;
    try {
      now = await cluster.openPool(name);
      if (now.id === id) return;
      await forget(pools, opened);
      throw new CellarError('unavailable', `pool ${name} was removed, and there is a new one of this name`, {
        hint: 'try again: from now on the new one is used',
        object: name,
      });
    } catch (error) {
      if (isRbdError(error, 'ENOENT')) await forget(pools, opened);
      throw error;
    } finally {
      now?.close().catch(() => {});
    }
  }

  /** Calls that were in flight all fail: the first one drops the session, and none of them the next session. */
  #drop(live: Live): void {
    if (this.#current !== live) return;
    this.#current = undefined;
    this.#live = undefined;
    live.cluster.close().catch(() => {});
  }
}

/** Unless somebody has opened the new one by now. */
async function forget(pools: Live['pools'], opened: NativePool): Promise<void> {
  const known = await pools.get(opened.name)?.catch(() => undefined);
  if (known !== opened) return;
  pools.delete(opened.name);
  opened.close().catch(() => {});
}

/** What a look that found nothing answers: of what stands in a pool it says something, of a pool that is not there it says nothing. */
const isNothing = (found: unknown): boolean =>
  found === undefined ||
  found === false ||
  (Array.isArray(found) && found.length === 0) ||
  (found instanceof Map && found.size === 0) ||
  (typeof found === 'object' && found !== null && 'kind' in found && found.kind === 'absent');
