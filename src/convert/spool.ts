import {randomBytes} from 'node:crypto';
import {chmod, mkdir, open, readdir, rm, stat, statfs} from 'node:fs/promises';
import {isAbsolute, join} from 'node:path';
import {CellarError} from '../core/errors.ts';
import {isAlive, thisProcess} from './process-id.ts';
import {asSpoolError, full, type Hasher, SpoolFile} from './spool-file.ts';

export type SpoolOptions = {
  /** Made if it is not there. Nobody else's: its mode becomes 0700. */
  directory: string;
  /** Bytes of all files together. */
  limit: number;
  /** Makes the digests of a file, by OpenSSL's names. */
  hasher: (digests: string[]) => Hasher;
};

/** `<process>.<random>.part`: a name says whose it is, so that only the dead's are taken away. */
const pattern = /^(\d+-\d+)\.[0-9a-f]{16}\.part$/;

/**
 * The directory where images wait that cannot be converted from a stream. Bounded: room is taken before the first byte, and
 * where there is none the fill fails at once with `no-space`, which a later try may not meet. What a dead agent left is
 * removed when the spool is opened; files of agents that live, and anything else in there, stay.
 */
export class Spool {
  readonly #directory: string;
  readonly #limit: number;
  readonly #hasher: SpoolOptions['hasher'];
  #taken = 0;
  #files = 0;

  private constructor({directory, limit, hasher}: SpoolOptions) {
    this.#directory = directory;
    this.#limit = limit;
    this.#hasher = hasher;
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    const {directory} = options;
    if (!isAbsolute(directory)) throw unusable(directory, 'it is not an absolute path');
    try {
      await mkdir(directory, {recursive: true, mode: 0o700});
      const {uid, mode} = await stat(directory);
      if (uid !== process.getuid?.()) throw unusable(directory, 'it belongs to another user');
      if ((mode & 0o777) !== 0o700) await chmod(directory, 0o700);
      for (const name of await readdir(directory)) {
        const owner = pattern.exec(name)?.[1];
        if (owner !== undefined && !isAlive(owner)) await rm(join(directory, name), {force: true});
      }
    } catch (error) {
      throw error instanceof CellarError ? error : unusable(directory, String(error), error);
    }
    return new Spool(options);
  }

  /** Bytes that are taken, and may be. */
  get usage(): {files: number; taken: number; limit: number} {
    return {files: this.#files, taken: this.#taken, limit: this.#limit};
  }

  /** A new empty file with room for `size` bytes, to be hashed with these. Dispose of it to remove it and give the room back. */
  async create(size: number, digests: string[]): Promise<SpoolFile> {
    this.#take(size);
    const room = {
      take: (bytes: number) => this.#take(bytes),
      release: (bytes: number) => {
        this.#taken -= bytes;
        this.#files--;
      },
    };
    this.#files++;
    const path = join(this.#directory, `${thisProcess}.${randomBytes(8).toString('hex')}.part`);
    let hasher: Hasher | undefined;
    try {
      hasher = this.#hasherOf(digests); // before there is a file to take away
      const {bavail, bsize} = await statfs(this.#directory);
      if (bavail * bsize < size)
        throw full(`the file system of ${this.#directory} has ${bavail * bsize} bytes free, ${size} are needed`);
      const handle = await open(path, 'wx', 0o600);
      return new SpoolFile(path, handle, {taken: size, room, hasher});
    } catch (error) {
      await hasher?.close();
      room.release(size);
      throw asSpoolError(error, path);
    }
  }

  #hasherOf(digests: string[]): Hasher {
    try {
      return this.#hasher(digests);
    } catch (error) {
      throw new CellarError('internal', `${digests.join(' and ')} of an image cannot be computed: ${error}`, {
        cause: error,
      });
    }
  }

  #take(bytes: number): void {
    if (this.#taken + bytes > this.#limit) {
      const others = this.#taken === 0 ? '' : `, ${this.#taken} of them taken by other conversions`;
      throw full(`the spool ${this.#directory} has ${this.#limit} bytes${others}; ${bytes} more are needed`);
    }
    this.#taken += bytes;
  }
}

const unusable = (directory: string, why: string, cause?: unknown) =>
  new CellarError('config', `the spool ${directory} cannot be used: ${why}`, {
    hint: `as root: \`install -d -o ${process.getuid?.()} -g ${process.getgid?.()} -m 0700 ${directory}\`, and name it in ReadWritePaths= of the unit where it is not below /var/lib/cellar`,
    cause,
  });
