import {CellarError} from '../core/errors.ts';
import type {DiskSpec, Intent, Intents} from '../core/ports.ts';
import type {Connection} from './connection.ts';
import {listOmap} from './omap.ts';

const object = 'cellar.disks';

/** Neither a pool nor an image of ours has a '/' in its name: the API refuses them. */
const keyOf = ({pool, name}: DiskSpec): string => `${pool}/${name}`;

const diskOf = (key: string): DiskSpec => ({
  pool: key.slice(0, key.indexOf('/')),
  name: key.slice(key.indexOf('/') + 1),
});

const bytes = (intent: Intent): Buffer => Buffer.from(JSON.stringify(intent));

/** `Intents` on one omap object of the cache pool. */
export class RbdIntents implements Intents {
  readonly #connection: Connection;
  readonly #pool: string;

  constructor(connection: Connection, pool: string) {
    this.#connection = connection;
    this.#pool = pool;
  }

  async get(disk: DiskSpec, signal: AbortSignal): Promise<Intent | undefined> {
    const key = keyOf(disk);
    const value = (await this.#connection.use(this.#pool, signal, pool => pool.omapGet(object, [key]))).get(key);
    return value && parse(key, value);
  }

  async put(disk: DiskSpec, intent: Intent, expected: Intent | undefined, signal: AbortSignal): Promise<boolean> {
    const key = keyOf(disk);
    return this.#connection.use(this.#pool, signal, pool =>
      pool.omapCompareAndSet(object, {expect: {[key]: expected && bytes(expected)}, set: {[key]: bytes(intent)}}),
    );
  }

  async clear(disk: DiskSpec, intent: Intent, signal: AbortSignal): Promise<boolean> {
    const key = keyOf(disk);
    return this.#connection.use(this.#pool, signal, pool =>
      pool.omapCompareAndSet(object, {expect: {[key]: bytes(intent)}, remove: [key]}),
    );
  }

  async list(signal: AbortSignal): Promise<{disk: DiskSpec; intent: Intent}[]> {
    const all = await this.#connection.use(this.#pool, signal, pool => listOmap(pool, object));
    return [...all].flatMap(([key, value]) => {
      const intent = read(value);
      return intent === undefined ? [] : [{disk: diskOf(key), intent}];
    });
  }
}

function read(value: Buffer): Intent | undefined {
  try {
    const intent = JSON.parse(value.toString()) as Intent;
    return intent.schema === 1 ? intent : undefined;
  } catch {
    return undefined;
  }
}

function parse(key: string, value: Buffer): Intent {
  const intent = read(value);
  if (intent !== undefined) return intent;
  throw new CellarError('internal', `the intent of disk ${key} cannot be read`, {
    hint: 'upgrade this agent, or remove the key with `rados rmomapkey` after looking at it',
    object: key,
  });
}
