/** A directory of instances as Nova keeps it, with a cell that has copies of some images. */
import {randomBytes} from 'node:crypto';
import {existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {baseName} from '../../src/base/file.ts';
import {BaseFiles} from '../../src/base/sweeper.ts';
import type {Event} from '../../src/core/events.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {cachedCell} from '../core/cached.ts';

export const settle = 200;

export async function place(t: ExecutionContext, {images: count = 1, settle: ms = settle, prompt = 60_000} = {}) {
  const instancesPath = mkdtempSync(join(tmpdir(), 'cellar-base-'));
  t.teardown(() => rmSync(instancesPath, {recursive: true, force: true}));
  const directory = join(instancesPath, '_base');
  mkdirSync(directory);
  const {cell, entries} = await cachedCell(count);
  const events: Event[] = [];
  const {tryLockFile, tryLeaseFile} = loadBinding();
  const base = new BaseFiles({
    instancesPath,
    subdirectory: '_base',
    tryLock: tryLockFile,
    tryLease: tryLeaseFile,
    cell,
    emit: event => events.push(event),
    settle: ms,
    prompt,
    interval: 600_000,
  });
  const images = entries.map(({image}) => image);
  const image = images[0] ?? '';
  return {
    instancesPath,
    directory,
    cell,
    entries,
    events,
    base,
    images,
    image,
    name: baseName(image),
    path: join(directory, baseName(image)),
    pathOf: (id: string) => join(directory, baseName(id)),
  };
}

/** A file as a download leaves it, left alone for long enough. */
export async function settled(path: string, bytes: Uint8Array = randomBytes(8192), ms = settle): Promise<void> {
  writeFileSync(path, bytes);
  while (Date.now() < statSync(path).ctimeMs + ms + 10) await sleep(20);
}

export const isThere = (path: string): boolean => existsSync(path);

/** What is below a directory, by relative path. */
export const below = (directory: string): string[] =>
  readdirSync(directory, {recursive: true, encoding: 'utf8'})
    .filter(name => statSync(join(directory, name), {throwIfNoEntry: false})?.isFile() ?? true)
    .sort();
