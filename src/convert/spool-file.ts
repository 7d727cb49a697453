import {type FileHandle, rm} from 'node:fs/promises';
import {CellarError} from '../core/errors.ts';

export type Room = {take(bytes: number): void; release(bytes: number): void};

/** Digests of what goes by, on another thread. A chunk is borrowed until `update` settles; `close` waits for those pending. */
export type Hasher = {
  update(chunk: Uint8Array): Promise<void>;
  finish(): Promise<Record<string, string>>;
  close(): Promise<void>;
};

/** One image on its way. Written once, from its start to its end, by one writer; then read by its path. */
export class SpoolFile {
  readonly path: string;
  readonly #room: Room;
  readonly #hasher: Hasher;
  #handle: FileHandle | undefined;
  #taken: number;
  #written = 0;
  #pending = new Set<Promise<unknown>>();
  #disposed = false;

  constructor(path: string, handle: FileHandle, {taken, room, hasher}: {taken: number; room: Room; hasher: Hasher}) {
    this.path = path;
    this.#handle = handle;
    this.#taken = taken;
    this.#room = room;
    this.#hasher = hasher;
  }

  /**
   * Appends; written and hashed at the same time. The chunk is borrowed until the promise settles, and several may be pending.
   * More than was asked for takes more room, if there is some.
   */
  async write(chunk: Uint8Array): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) throw new TypeError('the spool file is closed');
    const at = this.#written;
    const more = at + chunk.length - this.#taken;
    if (more > 0) {
      this.#room.take(more);
      this.#taken += more;
    }
    this.#written += chunk.length;
    const both = Promise.allSettled([this.#hasher.update(chunk), this.#writeAt(handle, chunk, at)]);
    this.#pending.add(both);
    const [hashed, written] = await both;
    this.#pending.delete(both);
    if (written.status === 'rejected') throw written.reason;
    if (hashed.status === 'rejected') throw hashed.reason;
  }

  /** After the last write: nothing more will be written. The digests of all of it. */
  async finish(): Promise<Record<string, string>> {
    await this.#close();
    return this.#hasher.finish();
  }

  async #writeAt(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
    try {
      for (let at = 0; at < chunk.length; ) {
        const {bytesWritten} = await handle.write(chunk, at, chunk.length - at, position + at);
        at += bytesWritten;
      }
    } catch (error) {
      throw asSpoolError(error, this.path);
    }
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await Promise.all(this.#pending);
    await handle?.close();
  }

  /** Closes, removes, gives the room back. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    try {
      await this.#close();
      await this.#hasher.close();
    } finally {
      await rm(this.path, {force: true});
      this.#room.release(this.#taken);
    }
  }
}

export const full = (message: string, cause?: unknown) =>
  new CellarError('no-space', message, {
    hint: 'try again when other conversions are done; if it happens again, give the spool more room',
    cause,
  });

/** What the file system said, as an error of ours: no room, or a bug. */
export function asSpoolError(error: unknown, path: string): unknown {
  if (error instanceof CellarError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') return full(`no space left for ${path}`, error);
  return new CellarError('internal', `the spool file ${path} could not be written: ${code ?? error}`, {cause: error});
}
