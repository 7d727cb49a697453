import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {type Ini, parseIni} from './ini.ts';
import type {Problem, ProblemKind} from './problem.ts';
import {quoteLine} from './secret.ts';

/** A `--config-file` or `--config-dir` of the command line; their order matters. A secret file must be closed to others. */
export type Source = {file: string; secret?: boolean} | {dir: string};

export type Assigned = {text: string; file: string; line: number};

/** The values of one file: by normalised group, then by key. */
export type ParsedFile = {path: string; groups: Map<string, Map<string, Assigned[]>>};

export type Parsed = {files: ParsedFile[]; problems: Problem[]};

/** Section names are the same in any case, except that only `[DEFAULT]` is the default group. */
export const normalGroup = (name: string): string => (name === 'DEFAULT' ? name : name.toLowerCase());

/** Reads the files of all sources in order. Files with problems are left out; the problems tell. */
export function readSources(sources: readonly Source[], home: string): Parsed {
  const files: ParsedFile[] = [];
  const problems: Problem[] = [];
  for (const source of sources) {
    const paths = 'file' in source ? [source.file] : filesOf(expand(source.dir, home), problems);
    for (const path of paths) {
      const absolute = resolve(expand(path, home));
      const text = readText(absolute, problems);
      if (text === undefined) continue;
      if ('file' in source && source.secret === true && isOpen(absolute)) {
        problems.push(openToOthers(absolute));
        continue;
      }
      const ini = parseIni(text);
      problems.push(
        ...ini.problems.map(({line, what, hint, text, after}) => {
          return {kind: 'syntax' as const, where: absolute, line, what: `${what}${quoteLine(text, after)}`, hint};
        }),
      );
      if (ini.problems.length === 0) files.push({path: absolute, groups: grouped(absolute, ini)});
    }
  }
  return {files, problems};
}

/** `~` and `~/…`; `~user` stays, and will not be found. */
export const expand = (path: string, home: string): string => path.replace(/^~(?=\/|$)/, () => home);

function filesOf(dir: string, problems: Problem[]): string[] {
  if (dir === '' || !existsSync(dir)) {
    problems.push(fileProblem('no-directory', dir, 'there is no such directory', 'correct --config-dir'));
    return [];
  }
  try {
    const names = readdirSync(dir).filter(name => name.endsWith('.conf') && !name.startsWith('.'));
    // By code point, as Python sorts: JavaScript's own order differs beyond U+FFFF.
    return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map(name => join(dir, name));
  } catch (error) {
    // A file in place of a directory holds no files: oslo.config takes that for an empty directory, and so did Nova.
    if (codeOf(error) === 'ENOTDIR') return [];
    problems.push(
      fileProblem(
        'denied',
        dir,
        `the directory cannot be read (${codeOf(error)})`,
        'give the agent the right to read it',
      ),
    );
    return [];
  }
}

function readText(path: string, problems: Problem[]): string | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    problems.push(unreadable(path, codeOf(error)));
    return undefined;
  }
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
  } catch {
    const line = badLine(bytes);
    problems.push({
      kind: 'encoding',
      where: path,
      line,
      what: 'the file is not UTF-8',
      hint: 'convert it, for example with iconv',
    });
    return undefined;
  }
}

/** The group may read: that is how an access list of systemd's shows. */
const isOpen = (path: string): boolean => (statSync(path).mode & 0o027) !== 0;

const openToOthers = (path: string): Problem =>
  fileProblem('denied', path, 'others may read or write this file of secrets', 'let nobody but the service read it');

function unreadable(path: string, code: string): Problem {
  if (code === 'ENOENT')
    return fileProblem('missing', path, 'there is no such file', 'correct --config-file, or make the file');
  if (code === 'EACCES')
    return fileProblem('denied', path, 'the file may not be read', 'give the agent the right to read it');
  return fileProblem('unreadable', path, `the file cannot be read (${code})`, 'name a regular file');
}

const fileProblem = (kind: ProblemKind, where: string, what: string, hint: string): Problem => ({
  kind,
  where,
  what,
  hint,
});

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** The first line that is not UTF-8: lines can be told apart in bytes, since no multi-byte character has a newline in it. */
function badLine(bytes: Buffer): number {
  const decoder = new TextDecoder('utf-8', {fatal: true});
  let start = 0;
  for (let line = 1; ; line += 1) {
    const end = bytes.indexOf(0x0a, start);
    try {
      decoder.decode(bytes.subarray(start, end < 0 ? bytes.length : end));
    } catch {
      return line;
    }
    if (end < 0) return line;
    start = end + 1;
  }
}

function grouped(file: string, {assignments}: Ini): ParsedFile['groups'] {
  const groups: ParsedFile['groups'] = new Map();
  for (const {section, key, value, line} of assignments) {
    const name = normalGroup(section);
    const group = groups.get(name) ?? new Map<string, Assigned[]>();
    groups.set(name, group);
    group.set(key, [...(group.get(key) ?? []), {text: value, file, line}]);
  }
  return groups;
}
