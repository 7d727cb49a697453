import type {DiskSpec, Trash} from '../core/ports.ts';
import type {Connection} from './connection.ts';
import {listOmap} from './omap.ts';

/** TRASH_IMAGE_SOURCE_REMOVING: put there by rbd_remove itself, which then takes it away. By hand it is another source. */
const removing = 3;

/** `Trash` on the pool's `rbd_trash`. */
export class RbdTrash implements Trash {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async holds({pool: poolName, name}: DiskSpec, signal: AbortSignal): Promise<boolean> {
    const all = await this.#connection.use(poolName, signal, pool => listOmap(pool, 'rbd_trash'));
    return [...all.values()].some(value => {
      const {source, name: its} = decodeSpec(value);
      return source === removing && its === name;
    });
  }
}

/** cls::rbd::TrashImageSpec: behind version, compat and length the source, and the name behind its length; what follows is not looked at. */
function decodeSpec(value: Buffer): {source: number | undefined; name: string} {
  const [source, length, start] = [value[6], value.length < 11 ? 0 : value.readUInt32LE(7), 11];
  return {source, name: value.toString('utf8', start, start + length)};
}
