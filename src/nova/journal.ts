/** What is noted of a host that is being moved: one file a host, whole or not there. */
import {closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import type {MoveNote} from './move-facts.ts';

const noteSchema = z.object({
  schema: z.literal(1),
  host: z.string(),
  since: z.string(),
  services: z.array(z.string()),
  nodes: z.array(z.object({name: z.string(), uuid: z.string()})),
  aggregates: z.array(z.object({id: z.int(), name: z.string()})),
}) satisfies z.ZodType<MoveNote>;

export class Journal {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** undefined: the host is not being moved. `conflict` for a file that is none of ours. */
  read(host: string): MoveNote | undefined {
    const path = this.path(host);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw cannot('read', path, error);
    }
    const note = noteSchema.safeParse(parseJson(text));
    if (note.success && note.data.host === host) return note.data;
    throw new CellarError('conflict', `${path} is not the note of a move of ${host}`, {
      hint: 'look at it, and move it away',
      object: path,
    });
  }

  /** On disk when this returns. */
  write(note: MoveNote): void {
    const path = this.path(note.host);
    const fresh = `${path}.new`;
    try {
      mkdirSync(this.#dir, {recursive: true, mode: 0o755});
      const file = openSync(fresh, 'w', 0o644);
      try {
        writeSync(file, `${JSON.stringify(note, undefined, 2)}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(fresh, path);
      const dir = openSync(this.#dir, 'r');
      fsyncSync(dir);
      closeSync(dir);
    } catch (error) {
      throw cannot('write', path, error);
    }
  }

  /** The move is over. */
  remove(host: string): void {
    rmSync(this.path(host), {force: true});
  }

  path(host: string): string {
    return join(this.#dir, `${encodeURIComponent(host)}.json`);
  }
}

const cannot = (what: string, path: string, error: unknown) =>
  new CellarError('config', `cannot ${what} ${path}: ${(error as Error).message}`, {
    hint: 'see [cell] journal_dir',
    object: path,
    cause: error,
  });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
