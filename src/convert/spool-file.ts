import {type FileHandle, rm} from 'node:fs/promises';
import {CellarError} from '../core/errors.ts';

export type Room = {take(bytes: number): void; release(bytes: number): void};

/** One image on its way. Written once, from its start to its end, by one writer; then read by its path. */
export class SpoolFile {
  readonly path: string;
  readonly #room: Room;
  #handle: FileHandle | undefined;
  #taken: number;
  #written = 0;
  #disposed = false;

  constructor(path: string, handle: FileHandle, taken: number, room: Room) {
    this.path = path;
    this.#handle = handle;
    this.#taken = taken;
    this.#room = room;
  }

  /** Appends. The buffer is borrowed until it returns. More than was asked for takes more room, if there is some. */
  async write(chunk: Uint8Array): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) throw new TypeError('the spool file is closed');
    const more = this.#written + chunk.length - this.#taken;
    if (more > 0) {
      this.#room.take(more);
      this.#taken += more;
    }
    try {
      for (let at = 0; at < chunk.length; ) {
        const {bytesWritten} = await handle.write(chunk, at, chunk.length - at, this.#written);
        at += bytesWritten;
        this.#written += bytesWritten;
      }
    } catch (error) {
      throw asSpoolError(error, this.path);
    }
  }

  /** Nothing more will be written. Idempotent. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** Closes, removes, gives the room back. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    try {
      await this.close();
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
