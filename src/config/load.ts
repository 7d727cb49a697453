import {existsSync} from 'node:fs';
import {homedir} from 'node:os';
import {join} from 'node:path';
import {CellarError} from '../core/errors.ts';
import {type Config, createConfig} from './config.ts';
import {credentialPath, secretsFile} from './credentials.ts';
import {readSources, type Source} from './files.ts';
import {optionKey} from './lookup.ts';
import type {Table} from './option.ts';
import {type GroupName, type OptionName, type Options, options} from './options.ts';
import {problemsError} from './problem.ts';

export type CellarConfig = Config<Options>;

/** A value given on the command line, as text: it beats the environment and all files. */
export type Override = {[G in GroupName]: {group: G; name: OptionName<G>; value: string}}[GroupName];

export type LoadOptions = {
  env?: Readonly<Record<string, string | undefined>>;
  /** Where `~` leads. */
  home?: string;
  overrides?: readonly Override[];
  /** Where /etc is looked for; for tests. */
  root?: string;
};

/**
 * The configuration of this host. `sources` are the --config-file and --config-dir options in the order of the command line;
 * without any --config-file the usual files are read first, without any --config-dir the usual directories. Fails with one
 * `config` error that tells all that is wrong with the files and with the names in our sections; a value is not looked at
 * before it is asked for, so a program that needs all of them to be right calls `check` first.
 */
export function loadConfig(sources: readonly Source[] = [], loading: LoadOptions = {}): CellarConfig {
  const config = readConfig(sources, loading);
  const problems = config.check().filter(({kind}) => kind !== 'value' && kind !== 'reference');
  if (problems.length > 0) throw problemsError(problems);
  return config;
}

/** The same, but whatever is wrong is left to `check`: for `cellar config check` and `cellar config show`. */
export const readConfig = (sources: readonly Source[] = [], loading: LoadOptions = {}): CellarConfig =>
  readTable(options, sources, loading);

/** Any table of options over the files; the tests bring their own. */
export function readTable<T extends Table>(
  table: T,
  sources: readonly Source[],
  {
    env = process.env,
    home = homedir(),
    root = '/',
    overrides = [],
  }: Omit<LoadOptions, 'overrides'> & {
    overrides?: readonly {group: string; name: string; value: string}[];
  },
): Config<T> {
  const secrets = credentialPath(secretsFile, env);
  const handedOver = secrets === undefined ? [] : [{file: secrets, secret: true}];
  const {files, problems} = readSources(
    [...defaultSources(sources, {env, home, root}), ...sources, ...handedOver],
    home,
  );
  const given = new Map(overrides.map(({group, name, value}) => [optionKey(group, name), value]));
  return createConfig(table, {overrides: given, env, files}, problems);
}

type Place = {env: Readonly<Record<string, string | undefined>>; home: string; root: string};

/**
 * What is read without being named: Nova's files, found the way nova-compute finds them, then our own, so that ours win. As in
 * oslo.config, naming a file turns the usual files off but not the usual directories, and the other way round.
 */
export function defaultSources(sources: readonly Source[], place: Place): Source[] {
  const files = !sources.some(source => 'file' in source);
  const dirs = !sources.some(source => 'dir' in source);
  const nova = ['nova', 'nova-compute'];
  const here = (path: string) => (existsSync(path) ? [path] : []);
  const novaFiles = nova.flatMap(name => firstFound(place, `${name}.conf`));
  const novaDirs = nova.flatMap(name => firstFound(place, `${name}.conf.d`));
  const ourFiles = here(join(place.root, 'etc/cellar/cellar.conf'));
  const ourDirs = here(join(place.root, 'etc/cellar/cellar.conf.d'));
  return [
    ...(files ? novaFiles.map(file => ({file})) : []),
    ...(dirs ? novaDirs.map(dir => ({dir})) : []),
    ...(files ? ourFiles.map(file => ({file})) : []),
    ...(dirs ? ourDirs.map(dir => ({dir})) : []),
  ];
}

function firstFound({env, home, root}: Place, name: string): string[] {
  const snaps = [env['SNAP_COMMON'], env['SNAP']].flatMap(dir =>
    dir === undefined || dir === '' ? [] : [join(dir, 'etc/nova')],
  );
  const dirs = [join(home, '.nova'), home, join(root, 'etc/nova'), join(root, 'etc'), ...snaps];
  return dirs
    .map(dir => join(dir, name))
    .filter(path => existsSync(path))
    .slice(0, 1);
}

/**
 * Takes --config-file and --config-dir out of a command line, in order: a general parser would gather them by name, and the
 * order between the two counts.
 */
export function takeSources(argv: readonly string[]): {sources: Source[]; rest: string[]} {
  const sources: Source[] = [];
  const rest: string[] = [];
  const words = argv.values();
  for (const word of words) {
    if (word === '--') return {sources, rest: [...rest, word, ...words]};
    const match = /^--config-(file|dir)(?:=(.*))?$/s.exec(word);
    if (match === null) {
      rest.push(word);
      continue;
    }
    const path = match[2] ?? words.next().value;
    if (path === undefined) throw new CellarError('usage', `${word} needs a path`, {hint: `${word}=/path/to/it`});
    sources.push(match[1] === 'file' ? {file: path} : {dir: path});
  }
  return {sources, rest};
}
