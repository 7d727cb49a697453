/** The floors as the sections ask for them: see floors.ts. */
import {fileURLToPath} from 'node:url';
import {cleanEnv} from '../../test/lab/run.ts';
import {type Helper, startHelper} from '../lines.ts';

export type Parent = {pool: string; image: string; snapshot: string};

export type Floors = AsyncDisposable & {
  /** Bare librbd clone and resize of each name, `limit` at a time; ms of all, and of each. */
  clone(parent: Parent, names: string[], size: number, limit?: number): Promise<{ms: number; each: number[]}>;
  /** Takes the image file's data into memory, for `write`. */
  load(path: string): Promise<{bytes: number}>;
  /** ms to write the loaded data into a new image of `size`, `depth` objects in flight. The image is removed again. */
  write(size: number, depth: number): Promise<number>;
  /** ms to read the URL's body to nothing. */
  download(url: string, token: string): Promise<number>;
  /** Removes these disks. */
  remove(names: string[]): Promise<void>;
  versions(): Promise<{librbd: string; librados: string}>;
};

const program = fileURLToPath(new URL('floors.ts', import.meta.url));
const pool = 'vms';

export function startFloors(conf: string): Floors {
  const helper: Helper = startHelper('the floors', [process.execPath, program, conf], cleanEnv());
  return {
    clone: (parent, names, size, limit = 1) => helper.ask({call: 'clone', parent, pool, names, size, limit}),
    load: path => helper.ask({call: 'load', path}),
    write: async (size, depth) =>
      (await helper.ask<{ms: number}>({call: 'write', pool, name: 'bench-floor', size, depth})).ms,
    download: async (url, token) => (await helper.ask<{ms: number}>({call: 'download', url, token})).ms,
    remove: async names => void (await helper.ask({call: 'remove', pool, names})),
    versions: () => helper.ask({call: 'versions'}),
    [Symbol.asyncDispose]: () => helper[Symbol.asyncDispose](),
  };
}
