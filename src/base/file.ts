import {createHash} from 'node:crypto';
import type {Stats} from 'node:fs';
import {lstat} from 'node:fs/promises';
import {join} from 'node:path';

/** The name of an image's file in Nova's local image cache (nova/virt/libvirt/imagecache.py, get_cache_fname). */
export const baseName = (image: string): string => createHash('sha1').update(image).digest('hex');

/** Nova downloads to the first, converts to the second, and renames either to the file itself (nova/virt/images.py). */
export const unfinishedNames = (name: string): string[] => [`${name}.part`, `${name}.converted`];

/** ms. A download or conversion that nothing was written to for so long, and that nobody has open, is of a Nova that died. */
const deadAfter = 3600_000;

/** What can be told of a base file by looking at it. `soon`: it is kept for now, and the reason will pass. */
export type Look = {kind: 'absent'} | {kind: 'kept'; why: string; soon: boolean} | {kind: 'removable'; bytes: number};

export type Seen = {
  file: Stats | undefined;
  unfinished: Stats[];
  /** The user that the directory belongs to. */
  owner: number;
  now: number;
  /** ms that a file must have been left alone: see `judge`. */
  settle: number;
};

export async function look(
  directory: string,
  name: string,
  {owner, settle}: Pick<Seen, 'owner' | 'settle'>,
): Promise<Look> {
  const [file, ...unfinished] = await Promise.all(
    [name, ...unfinishedNames(name)].map(one => lstatIfThere(join(directory, one))),
  );
  return judge({file, unfinished: unfinished.filter(one => one !== undefined), owner, now: Date.now(), settle});
}

/**
 * Nova renames a finished download to this name and imports it without the lock: a rename sets ctime, and so does Nova when it
 * marks a file as used. One that has just changed is about to be read.
 */
export function judge({file, unfinished, owner, now, settle}: Seen): Look {
  if (unfinished.some(({mtimeMs}) => now - mtimeMs < deadAfter))
    return {kind: 'kept', why: 'it is being downloaded', soon: true};
  if (file === undefined) return {kind: 'absent'};
  if (!file.isFile()) return {kind: 'kept', why: 'it is no regular file', soon: false};
  if (file.uid !== owner)
    return {kind: 'kept', why: `it belongs to uid ${file.uid}, its directory to ${owner}`, soon: false};
  const settled = Math.max(file.ctimeMs, file.mtimeMs) + settle;
  if (now < settled) return {kind: 'kept', why: 'it has just changed', soon: settled - now <= settle};
  return {kind: 'removable', bytes: file.blocks * 512};
}

export async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

export const isCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(error.code as string);
