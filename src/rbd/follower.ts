import {type Follower, type Heard, mostTold} from '../core/ports.ts';
import {abortable} from '../core/single-flight.ts';
import type {Connection} from './connection.ts';
import {causeOf, isRbdError} from './errors.ts';
import type {NativeWatch} from './native.ts';

/** ms after which the OSD drops the watch of a process that died: until then it holds up the notifies of the others. */
const watchTimeout = 15_000;

/** Watches the object; undefined when it is not there. */
export async function follow(
  connection: Connection,
  pool: string,
  object: string,
  signal: AbortSignal,
): Promise<Follower | undefined> {
  try {
    const watch = await connection.use(pool, signal, opened => opened.watch(object, {timeoutMs: watchTimeout}));
    return new RbdFollower(watch);
  } catch (error) {
    if (isRbdError(causeOf(error), 'ENOENT')) return undefined;
    throw error;
  }
}

/** A watch on an object that is removed when there is nothing more to tell: the OSD says so to all who watch it. */
class RbdFollower implements Follower {
  readonly #watch: NativeWatch;

  constructor(watch: NativeWatch) {
    this.#watch = watch;
  }

  async next(ms: number, signal: AbortSignal): Promise<Heard> {
    signal.throwIfAborted();
    try {
      const notice = await abortable(this.#watch.next(Math.ceil(ms)), signal);
      return notice === undefined ? 'nothing' : {told: notice.payload.toString('utf8', 0, mostTold)};
    } catch (error) {
      signal.throwIfAborted();
      if (isRbdError(error)) return 'ended'; // removed, dropped by the OSD, fenced off, or closed: whoever looks again sees which
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch.close().catch(() => {}); // the OSD drops it in its own time
  }
}
