import {randomBytes} from 'node:crypto';
import {chown, constants, type FileHandle, link, mkdir, open, rename, rmdir, stat, unlink} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {isCode, lstatIfThere} from './file.ts';

/** An exclusive fcntl lock on the whole file, without waiting: false when somebody else has it. It ends with the descriptor. */
export type TryLock = (fd: number) => boolean;

/**
 * Nova's own lock of a base file, held by this process until it is disposed of: `<instances_path>/locks/nova-<name>`, an fcntl
 * lock on the whole file (oslo.concurrency's external lock with Nova's prefix; nova/virt/libvirt/imagebackend.py, Image.cache).
 */
export class NovaLock implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** undefined when Nova has it now. */
  static async take(instancesPath: string, name: string, tryLock: TryLock): Promise<NovaLock | undefined> {
    const path = join(instancesPath, 'locks', `nova-${name}`);
    const file = await openOrMake(path);
    const lock = new NovaLock(path, file);
    try {
      if (tryLock(file.fd) && (await lock.stands())) return lock;
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
    return undefined;
  }

  /** Nova removes lock files that it thinks nobody needs: whoever comes then locks another file of the same name. */
  async stands(): Promise<boolean> {
    const [ours, named] = await Promise.all([this.#file.stat(), lstatIfThere(this.#path)]);
    return named !== undefined && named.ino === ours.ino && named.dev === ours.dev;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** Each of those who come at the same time can put another directory in place of the one we found, once, while it is empty. */
const attempts = 50;

async function openOrMake(path: string): Promise<FileHandle> {
  for (let tries = 1; ; tries++) {
    try {
      return await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
    } catch (error) {
      if (!isCode(error, 'ENOENT') || tries === attempts) throw error;
    }
    await makeDirectory(dirname(path));
    await makeFile(path).catch(error => {
      if (!isCode(error, 'ENOENT')) throw error;
    });
  }
}

/** Made aside and given to the directory's owner first: Nova must be able to open it from the moment it has its name. */
async function makeFile(path: string): Promise<void> {
  const aside = join(dirname(path), `.cellar-${randomBytes(8).toString('hex')}`);
  const {uid, gid} = await stat(dirname(path));
  const file = await open(aside, 'wx', 0o644);
  try {
    const own = await file.stat();
    if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid); // a right that who is that user need not have
    await link(aside, path);
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error;
  } finally {
    await unlink(aside);
    await file.close();
  }
}

/** Made aside for the same reason. The rename replaces one that is there by then and empty: who is about to use that tries again. */
async function makeDirectory(path: string): Promise<void> {
  if ((await lstatIfThere(path)) !== undefined) return;
  const aside = join(dirname(path), `.cellar-${randomBytes(8).toString('hex')}`);
  const {uid, gid} = await stat(dirname(path));
  await mkdir(aside, 0o755);
  try {
    const own = await stat(aside);
    if (own.uid !== uid || own.gid !== gid) await chown(aside, uid, gid);
    await rename(aside, path);
  } catch (error) {
    await rmdir(aside);
    if (!isCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}
