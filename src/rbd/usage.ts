import type {Usage} from '../core/ports.ts';
import type {Connection} from './connection.ts';
import {listOmap} from './omap.ts';

const object = 'cellar.usage';

/** `Usage` on one omap object of the cache pool: image id -> ms since the epoch, in decimal. */
export class RbdUsage implements Usage {
  readonly #connection: Connection;
  readonly #pool: string;

  constructor(connection: Connection, pool: string) {
    this.#connection = connection;
    this.#pool = pool;
  }

  async touch(lastUse: ReadonlyMap<string, number>, signal: AbortSignal): Promise<void> {
    await this.#connection.use(this.#pool, signal, async pool => {
      const written = read(await pool.omapGet(object, [...lastUse.keys()]));
      const later = [...lastUse].filter(([image, at]) => at > (written.get(image) ?? 0));
      const set = Object.fromEntries(later.map(([image, at]) => [image, Buffer.from(String(at))]));
      if (later.length > 0) await pool.omapCompareAndSet(object, {set});
    });
  }

  async forget(images: readonly string[], signal: AbortSignal): Promise<void> {
    const remove = [...images];
    await this.#connection.use(this.#pool, signal, pool => pool.omapCompareAndSet(object, {remove}));
  }

  async list(signal: AbortSignal): Promise<Map<string, number>> {
    return read(await this.#connection.use(this.#pool, signal, pool => listOmap(pool, object)));
  }
}

/** What is no time is left out. */
const read = (all: ReadonlyMap<string, Buffer>): Map<string, number> =>
  new Map([...all].map(([image, at]) => [image, Number(at)] as const).filter(([, at]) => at > 0 && at <= latest));

/** What a Date can hold. */
const latest = 8.64e15;
