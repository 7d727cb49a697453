import {type Entry, formatEntry, parseEntry} from '../core/entry.ts';
import {parseRetired, type Retired, replaced} from '../core/evict.ts';
import type {Index, Survey} from '../core/ports.ts';
import type {Connection} from './connection.ts';
import {listOmap} from './omap.ts';

const object = 'cellar.index';

const claimSuffix = '.claim';
const pinSuffix = '.pin';
const retiredSuffix = '.retired';

/** `<image id>.claim`: the generation that may be published. In the same object as the entries, so that one op guards and commits. */
const claimOf = (imageId: string): string => `${imageId}${claimSuffix}`;

const pinOf = (imageId: string): string => `${imageId}${pinSuffix}`;

const retiredOf = ({rbdImage}: {rbdImage: string}): string => `${rbdImage}${retiredSuffix}`;

/** `Index` on one omap object of the cache pool. Keys with a dot in them are no entries: `.claim`, `.pin`, `.retired`. */
export class RbdIndex implements Index {
  readonly #connection: Connection;
  readonly #pool: string;
  /** The bytes each record was read from: what a compare-and-set must find, whatever wrote them. */
  readonly #stored = new WeakMap<Entry | Retired, Buffer>();

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
    return (await this.survey(signal)).entries;
  }

  /** The keys come in order, an entry's before those of its copies: what is retired between two pages is seen at least once. */
  async survey(signal: AbortSignal): Promise<Survey> {
    const all = await this.#connection.use(this.#pool, signal, pool => listOmap(pool, object));
    const seen: Survey = {entries: [], retired: [], pins: [], claims: []};
    for (const [key, value] of all) {
      const before = (suffix: string) => key.slice(0, -suffix.length);
      if (!key.includes('.')) seen.entries.push(...this.#tryRead(value));
      else if (key.endsWith(pinSuffix)) seen.pins.push(before(pinSuffix));
      else if (key.endsWith(claimSuffix)) seen.claims.push({image: before(claimSuffix), generation: value.toString()});
      else if (key.endsWith(retiredSuffix))
        seen.retired.push(this.#keep(parseRetired(before(retiredSuffix), value.toString()), value));
    }
    return seen;
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
        set: {[entry.image]: value, ...(replaces && {[retiredOf(replaces)]: this.#bytes(replaced(replaces))})},
        remove: [claim],
      }),
    );
    if (published) this.#stored.set(entry, value);
    return published;
  }

  async unclaim(imageId: string, generation: string, signal: AbortSignal): Promise<boolean> {
    const claim = claimOf(imageId);
    return this.#connection.use(this.#pool, signal, pool =>
      pool.omapCompareAndSet(object, {expect: {[claim]: Buffer.from(generation)}, remove: [claim]}),
    );
  }

  async claims(signal: AbortSignal): Promise<{image: string; generation: string}[]> {
    return (await this.survey(signal)).claims;
  }

  async retire(
    entry: Entry,
    retired: Retired,
    signal: AbortSignal,
    {sparePinned = false}: {sparePinned?: boolean} = {},
  ): Promise<boolean> {
    const change = {
      expect: {[entry.image]: this.#bytes(entry), ...(sparePinned && {[pinOf(entry.image)]: undefined})},
      set: {[retiredOf(entry)]: this.#bytes(retired)},
      remove: [entry.image],
    };
    return this.#connection.use(this.#pool, signal, pool => pool.omapCompareAndSet(object, change));
  }

  async retired(signal: AbortSignal): Promise<Retired[]> {
    return (await this.survey(signal)).retired;
  }

  async forget(retired: Retired, signal: AbortSignal, instead?: Retired): Promise<boolean> {
    const key = retiredOf(retired);
    const change = instead === undefined ? {remove: [key]} : {set: {[key]: this.#bytes(instead)}};
    return this.#connection.use(this.#pool, signal, pool =>
      pool.omapCompareAndSet(object, {expect: {[key]: this.#bytes(retired)}, ...change}),
    );
  }

  async pins(signal: AbortSignal): Promise<string[]> {
    return (await this.survey(signal)).pins;
  }

  async pin(imageId: string, signal: AbortSignal): Promise<void> {
    const set = {[pinOf(imageId)]: Buffer.from(new Date().toISOString())}; // when: for whoever looks
    await this.#connection.use(this.#pool, signal, pool => pool.omapCompareAndSet(object, {set}));
  }

  async unpin(imageId: string, signal: AbortSignal): Promise<void> {
    const remove = [pinOf(imageId)];
    await this.#connection.use(this.#pool, signal, pool => pool.omapCompareAndSet(object, {remove}));
  }

  #read(value: Buffer): Entry {
    return this.#keep(parseEntry(value.toString()), value);
  }

  #tryRead(value: Buffer): Entry[] {
    try {
      return [this.#read(value)];
    } catch {
      return [];
    }
  }

  #keep<Stored extends Entry | Retired>(record: Stored, value: Buffer): Stored {
    this.#stored.set(record, value);
    return record;
  }

  #bytes(record: Entry | Retired): Buffer {
    return this.#stored.get(record) ?? Buffer.from(JSON.stringify(record));
  }
}
