import {constants, type FileHandle, open} from 'node:fs/promises';
import {isCode} from './file.ts';

/** A write lease on an open file: false when anybody else has it open. It ends with the descriptor. */
export type TryLease = (fd: number) => boolean;

/**
 * Does the work while nobody has the file open, and whoever opens it waits; undefined, and nothing done, when somebody has.
 * The kernel knows of every process in whatever namespace. Who waited goes on with the file it found, even if it has no name
 * any more. A file that is not there is unused.
 */
export async function whileUnused<V>(path: string, tryLease: TryLease, work: () => Promise<V>): Promise<V | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return work();
    throw error;
  }
  try {
    return tryLease(file.fd) ? await work() : undefined;
  } finally {
    await file.close();
  }
}
