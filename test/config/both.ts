import {chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {readTable, takeSources} from '../../src/config/load.ts';
import type {Table} from '../../src/config/option.ts';
import type {Problem} from '../../src/config/problem.ts';
import {type Answer, type Encoded, Oslo} from './oslo.ts';
import {encode, type TestOption, tableOf} from './specs.ts';

export type Case = {
  /** By path; one that ends in / is a directory. */
  files: Record<string, string | Uint8Array>;
  /** The command line; `@` becomes the directory of the files. */
  argv: string[];
  env?: Record<string, string>;
  /** What stands on the command line for options of the table, ours; argv has them for oslo.config. */
  overrides?: {group: string; name: string; value: string}[];
  /** Look for the usual files too. */
  usual?: boolean;
  /** As a user without rights; files of the name secret.conf, and the directory `locked`, are forbidden to it. */
  unprivileged?: boolean;
  locked?: string;
};

/** The same option table on both sides, and cases that both read from the same files. */
export class Both {
  readonly #oslo = new Oslo();
  readonly #root = mkdtempSync(join(tmpdir(), 'cellar-config-'));
  readonly #options: readonly TestOption[];
  readonly #table: Table;
  #defined: Promise<void> | undefined;
  cases = 0;

  constructor(options: readonly TestOption[]) {
    this.#options = options;
    this.#table = tableOf(options);
    // A user without rights must at least get there.
    chmodSync(this.#root, 0o755);
  }

  async stop(): Promise<void> {
    await this.#oslo.stop();
    rmSync(this.#root, {recursive: true, force: true});
  }

  async answers(given: Case): Promise<{theirs: Answer; ours: Answer}> {
    this.#defined ??= this.#oslo.define(
      't',
      this.#options.map(one => ({deprecated: [], ...one})),
    );
    await this.#defined;
    const dir = join(this.#root, 'case');
    write(dir, given.files);
    if (given.locked !== undefined) chmodSync(join(dir, given.locked), 0o000);
    this.cases += 1;
    const argv = given.argv.map(word => word.replace('@', () => dir));
    const env = Object.entries({HOME: '@/home', ...given.env}).map(([name, text]) => [
      name,
      text.replace('@', () => dir),
    ]);
    const request = {argv, env: Object.fromEntries(env) as Record<string, string>};
    const {usual = false, unprivileged = false} = given;
    const theirs = await this.#oslo.read({table: 't', ...request, usual, unprivileged});
    return {theirs, ours: asUser(unprivileged, () => this.#ours(given, request))};
  }

  #ours({overrides = [], usual}: Case, {argv, env}: {argv: string[]; env: Record<string, string>}): Answer {
    const {sources} = takeSources(argv);
    const home = env['HOME'] ?? '';
    // Nothing usual is found when --config-file and --config-dir are both given, nor in a root and a home that are not there.
    const place = usual === true ? {root: '/', home} : {root: '/nowhere', home};
    const config = readTable(this.#table, sources, {env, overrides, ...place});
    const problem = firstOfFiles(config.check());
    if (problem !== undefined) return {load: problem};
    const problems = new Map(config.entries().map(({group, name, problem}) => [`[${group}] ${name}`, problem?.kind]));
    const values = this.#options.map(({group, name, type}): [string, Encoded] => {
      const key = `[${group}] ${name}`;
      const error = problems.get(key);
      return [key, error === undefined ? encode(config.get(group, name), type) : {error}];
    });
    return {values: Object.fromEntries(values)};
  }
}

/** The problem oslo.config would have stopped at: missing and forbidden files it tells only after it has read the others. */
function firstOfFiles(problems: readonly Problem[]): string | undefined {
  const kinds = problems.map(({kind}) => kind).filter(kind => kind !== 'value' && kind !== 'reference');
  const late = ['missing', 'denied'];
  return kinds.find(kind => !late.includes(kind)) ?? late.find(kind => kinds.some(one => one === kind));
}

function asUser<R>(unprivileged: boolean, act: () => R): R {
  if (!unprivileged || process.geteuid?.() !== 0) return act();
  process.seteuid?.(65534);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}

function write(dir: string, files: Case['files']): void {
  rmSync(dir, {recursive: true, force: true});
  mkdirSync(dir, {recursive: true});
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), {recursive: true});
    if (!name.endsWith('/')) writeFileSync(path, content, {mode: name.includes('secret') ? 0o000 : 0o644});
  }
}
