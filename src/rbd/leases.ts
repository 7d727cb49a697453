import {randomUUID} from 'node:crypto';
import type {Follower, Lease, Leases} from '../core/ports.ts';
import type {Connection} from './connection.ts';
import {follow} from './follower.ts';
import {Teller} from './teller.ts';

const lockName = 'cellar';

/** ms that a notify waits for a watcher that is dead. */
const notifyTimeout = 2000;

export type LeasesOptions = {
  connection: Connection;
  pool: string;
  /** ms. Renewed every sixth of it. */
  duration: number;
  /** Who we are, for others to read: host and run. */
  holder: string;
  onLost?: (name: string) => void;
};

/** `Leases` on cls_lock: an exclusive lock with a duration on an object of the lease's name. Followers watch the object, which goes with its release. */
export class RbdLeases implements Leases {
  readonly #options: LeasesOptions;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  async acquire(name: string, signal: AbortSignal): Promise<Lease | undefined> {
    const cookie = randomUUID();
    const asked = performance.now();
    return (await this.#lock(name, cookie, signal)) ? this.#keep(name, cookie, asked) : undefined;
  }

  async holder(name: string, signal: AbortSignal): Promise<string | undefined> {
    const {connection, pool} = this.#options;
    const {lockers} = await connection.use(pool, signal, opened => opened.listLockers(name, lockName));
    const [first] = lockers;
    return first && `${first.client} at ${first.address}`;
  }

  follow(name: string, signal: AbortSignal): Promise<Follower | undefined> {
    const {connection, pool} = this.#options;
    return follow(connection, pool, name, signal);
  }

  async list(prefix: string, signal: AbortSignal): Promise<string[]> {
    const {connection, pool} = this.#options;
    return connection.use(pool, signal, opened => opened.listObjects(prefix));
  }

  async #lock(name: string, cookie: string, signal: AbortSignal, renew?: 'must'): Promise<boolean> {
    const {connection, pool, duration, holder} = this.#options;
    const lock = {name: lockName, cookie, description: holder, durationMs: duration, ...(renew && {renew})};
    return connection.use(pool, signal, opened => opened.lockExclusive(name, lock));
  }

  /**
   * Renews until released. The OSD's clock decides when the lease ends, ours when we stop believing in it: a renewal that
   * has not been answered by two thirds of the duration after it was last known good is taken for lost, a third too early.
   */
  #keep(name: string, cookie: string, asked: number): Lease {
    const {duration, connection, pool, onLost} = this.#options;
    const lost = new AbortController();
    const stop = new AbortController();
    const teller = new Teller(news => this.#notify(name, news, stop.signal));
    let good = asked;
    let renewing = false;
    const renew = async () => {
      if (performance.now() - good > (duration * 2) / 3) return lose();
      if (renewing) return;
      teller.repeat();
      renewing = true;
      const begun = performance.now();
      try {
        if (await this.#lock(name, cookie, stop.signal, 'must')) good = begun;
        else lose();
      } catch {
        // unanswered: the age of `good` decides
      } finally {
        renewing = false;
      }
    };
    const timer = setInterval(() => void renew(), duration / 6);
    const lose = () => {
      clearInterval(timer);
      teller.end();
      if (stop.signal.aborted || lost.signal.aborted) return;
      lost.abort(new Error(`the lease ${name} was lost`));
      onLost?.(name);
    };
    const release = async () => {
      clearInterval(timer);
      teller.end();
      if (stop.signal.aborted) return;
      stop.abort();
      await connection
        .use(pool, AbortSignal.timeout(duration), opened => opened.removeLocked(name, lockName, cookie))
        .catch(() => {});
    };
    const tell = (news: string) => {
      if (!stop.signal.aborted && !lost.signal.aborted) teller.tell(news);
    };
    return {lost: lost.signal, tell, release};
  }

  /** Outside of `use`: that an object is not watched, or not there any more, is no fault of the connection. */
  async #notify(name: string, news: Buffer, signal: AbortSignal): Promise<void> {
    const opened = await this.#options.connection.use(this.#options.pool, signal, async pool => pool);
    await opened.notify(name, news, notifyTimeout);
  }
}
