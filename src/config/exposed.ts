/** Files with secrets in them that everybody on the host can read. */
import {statSync} from 'node:fs';
import {dirname} from 'node:path';
import type {ParsedFile} from './files.ts';
import type {Table} from './option.ts';
import {maskSecret} from './secret.ts';

/** One file, and the options in it that are secrets. It is no problem of the configuration's: all works, and too many know. */
export type Exposure = {
  file: string;
  /** As chmod takes it. */
  mode: string;
  options: {option: string; line: number}[];
  what: string;
  /** The command that mends it. */
  hint: string;
};

/**
 * Which of the files hold a value of a secret option where others than owner and group can read or write it. A secret is one by its name, in
 * whatever section: logins are read from the section that `auth_section` names. A value that another one overrides is read by others too.
 */
export function exposedSecrets(table: Table, files: readonly ParsedFile[]): Exposure[] {
  const names = secretNames(table);
  return files.flatMap(({path, groups}) => {
    const options = [...groups].flatMap(([group, keys]) =>
      [...keys].flatMap(([name, assigned]) => {
        const last = names.has(name) ? assigned.findLast(({text}) => isSecret(text.trim())) : undefined;
        return last === undefined ? [] : [{option: `[${group}] ${name}`, line: last.line}];
      }),
    );
    const access = options.length === 0 ? undefined : accessOf(path);
    return access === undefined ? [] : [exposure(path, access, options)];
  });
}

/** Also the names that they had before. */
function secretNames(table: Table): ReadonlySet<string> {
  const secrets = Object.values(table).flatMap(options => Object.entries(options).filter(([, {secret}]) => secret));
  return new Set(secrets.flatMap(([name, {deprecated}]) => [name, ...deprecated.map(old => old.name ?? name)]));
}

/** Not empty, and of URLs those with a login in them. */
const isSecret = (text: string): boolean => maskSecret(text) !== text;

type Access = {mode: string; gid: number};

/** undefined: others do not get at it, or it is gone. */
function accessOf(path: string): Access | undefined {
  try {
    const {mode, gid} = statSync(path);
    return (mode & 0o006) !== 0 && isReachable(path)
      ? {mode: (mode & 0o7777).toString(8).padStart(4, '0'), gid}
      : undefined;
  } catch {
    return undefined;
  }
}

/** A directory on the way that is closed to others closes what is in it. */
function isReachable(path: string): boolean {
  const parent = dirname(path);
  return parent === path || ((statSync(parent).mode & 0o001) !== 0 && isReachable(parent));
}

function exposure(file: string, {mode, gid}: Access, options: Exposure['options']): Exposure {
  const named = options.map(({option, line}) => `${option} (line ${line})`).join(', ');
  // what only root and others may read is the service's to read as one of the others
  const group = gid === 0 ? `chgrp nova ${file} && ` : '';
  return {
    file,
    mode,
    options,
    what: `${file} has mode ${mode}: everybody on this host has access to ${named}`,
    hint: `${group}chmod 0640 ${file}${gid === 0 ? "   # nova: or another group of the service's user" : ''}`,
  };
}
