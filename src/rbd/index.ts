import {type Entry, formatEntry, parseEntry} from '../core/entry.ts';
import type {Index} from '../core/ports.ts';
import type {Connection} from './connection.ts';
import {listOmap} from './omap.ts';

const object = 'cellar.index';

const claimSuffix = '.claim';

/** `<image id>.claim`: the generation that may be published. In the same object as the entries, so that one op guards and commits. */
const claimOf = (imageId: string): string => `${imageId}${claimSuffix}`;

/** `Index` on one omap object of the cache pool. */
export class RbdIndex implements Index {
  readonly #connection: Connection;
  readonly #pool: string;
  /** The bytes each entry was read from: what a compare-and-set must find, whatever wrote them. */
  readonly #stored = new WeakMap<Entry, Buffer>();

  constructor(connection: Connection, pool: string) {
    this.#connection = connection;
    this.#pool = pool;
  }

  async get(imageId: string, signal: AbortSignal): Promise<Entry | undefined> {
    const found = await this.#connection.use(this.#pool, signal, pool => pool.omapGet(object, [imageId]));
    const value = found.get(imageId);
    return value && this.#read(value);
  }

  async list(signal: AbortSignal): Promise<Entry[]> {
    const all = await this.#connection.use(this.#pool, signal, pool => listOmap(pool, object));
    return [...all].filter(([key]) => !key.endsWith(claimSuffix)).map(([, value]) => this.#read(value));
  }

  async claim(imageId: string, generation: string, signal: AbortSignal): Promise<void> {
    await this.#connection.use(this.#pool, signal, pool =>
      pool.omapCompareAndSet(object, {set: {[claimOf(imageId)]: Buffer.from(generation)}}),
    );
  }

  async publish(entry: Entry, replaces: Entry | undefined, signal: AbortSignal): Promise<boolean> {
    const value = Buffer.from(formatEntry(entry));
    const claim = claimOf(entry.image);
    const published = await this.#connection.use(this.#pool, signal, pool =>
      pool.omapCompareAndSet(object, {
        expect: {[claim]: Buffer.from(entry.generation), [entry.image]: replaces && this.#bytes(replaces)},
        set: {[entry.image]: value},
        remove: [claim],
      }),
    );
    if (published) this.#stored.set(entry, value);
    return published;
  }

  async unclaim(imageId: string, generation: string, signal: AbortSignal): Promise<void> {
    const claim = claimOf(imageId);
    await this.#connection.use(this.#pool, signal, pool =>
      pool.omapCompareAndSet(object, {expect: {[claim]: Buffer.from(generation)}, remove: [claim]}),
    );
  }

  async claims(signal: AbortSignal): Promise<{image: string; generation: string}[]> {
    const all = await this.#connection.use(this.#pool, signal, pool => listOmap(pool, object));
    return [...all]
      .filter(([key]) => key.endsWith(claimSuffix))
      .map(([key, value]) => ({image: key.slice(0, -claimSuffix.length), generation: value.toString()}));
  }

  async remove(entry: Entry, signal: AbortSignal): Promise<boolean> {
    return this.#connection.use(this.#pool, signal, pool =>
      pool.omapCompareAndSet(object, {expect: {[entry.image]: this.#bytes(entry)}, remove: [entry.image]}),
    );
  }

  #read(value: Buffer): Entry {
    const entry = parseEntry(value.toString());
    this.#stored.set(entry, value);
    return entry;
  }

  #bytes(entry: Entry): Buffer {
    return this.#stored.get(entry) ?? Buffer.from(formatEntry(entry));
  }
}
