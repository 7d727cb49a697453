/** Nova's compute_id file, by the rules of 2023.1 and later: it holds the uuid of this host's compute node. */
import {closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {CellarError} from '../core/errors.ts';

const fileName = 'compute_id';
const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Where Nova looks: beside every configuration file, and in its state_path, where alone it is written. */
export type IdentityPlace = {configFiles: readonly string[]; statePath: string};

/** The uuid that every copy of the file agrees on; undefined without any. Fails with `conflict` when they differ or are no uuid. */
export function readComputeId({configFiles, statePath}: IdentityPlace): string | undefined {
  const paths = new Set([...configFiles.map(dirname), statePath].map(dir => join(dir, fileName)));
  const found = [...paths].flatMap(path => {
    const text = read(path);
    return text === undefined ? [] : [{path, uuid: uuidOf(text, path)}];
  });
  const [first, ...others] = found;
  const odd = others.find(({uuid}) => uuid !== first?.uuid);
  if (first !== undefined && odd !== undefined) {
    throw new CellarError(
      'conflict',
      `${first.path} says ${first.uuid}, ${odd.path} says ${odd.uuid}: nova-compute would not start`,
      {hint: 'keep the one that is the uuid of the compute node in Nova', object: odd.path},
    );
  }
  return first?.uuid;
}

/** Writes it into state_path, whole or not at all. A file that is there already, whoever wrote it, is a `conflict`. */
export function writeComputeId(uuid: string, {statePath}: IdentityPlace): void {
  const path = join(statePath, fileName);
  try {
    writeWhole(path, uuid);
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new CellarError('conflict', `${path} appeared while it was to be written`, {object: path, cause: error});
    throw new CellarError('config', `the identity of this host's compute node cannot be written to ${path} (${code})`, {
      hint: `write ${uuid} into it, readable for nova-compute, or let the agent write to [DEFAULT] state_path`,
      object: path,
      cause: error,
    });
  }
}

/** On disk when this returns. An empty file would keep nova-compute from starting, so it gets its name when it is whole. */
function writeWhole(path: string, text: string): void {
  const fresh = join(dirname(path), `.${fileName}.new`);
  rmSync(fresh, {force: true});
  try {
    writeFileSync(fresh, text, {flag: 'wx', mode: 0o644, flush: true});
    linkSync(fresh, path); // renaming would replace a file that is there
  } finally {
    rmSync(fresh, {force: true});
  }
  const dir = openSync(dirname(path), 'r');
  try {
    fsyncSync(dir);
  } finally {
    closeSync(dir);
  }
}

/** Takes back what `writeComputeId` wrote, if it is still that. */
export function takeBackComputeId(uuid: string, {statePath}: IdentityPlace): void {
  const path = join(statePath, fileName);
  if (read(path) === uuid) rmSync(path, {force: true});
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CellarError('config', `${path} cannot be read (${code})`, {
      hint: 'nova-compute and the agent must be able to read it',
      object: path,
      cause: error,
    });
  }
}

/** As Nova reads it: of the first 40 characters, without space around; Python takes a uuid without dashes and in capitals too. */
function uuidOf(text: string, path: string): string {
  const bare = text
    .slice(0, 40)
    .trim()
    .toLowerCase()
    .replace(/^urn:uuid:|[{}-]/g, '');
  const uuid = bare.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  if (uuidForm.test(uuid)) return uuid;
  throw new CellarError('conflict', `${path} holds no uuid: nova-compute would not start`, {
    hint: 'write the uuid of the compute node in Nova into it, or remove it on a new host',
    object: path,
  });
}
