import {type Assigned, normalGroup, type ParsedFile} from './files.ts';

/** What the options are read from, strongest first: command line, environment, files (the later one first). */
export type Inputs = {
  overrides: ReadonlyMap<string, string>;
  env: Readonly<Record<string, string | undefined>>;
  files: readonly ParsedFile[];
};

/** Where a value came from. `as` is the old name it was found under. */
export type Origin =
  | {from: 'command line'}
  | {from: 'environment'; variable: string}
  | {from: 'file'; file: string; line: number; as?: string}
  | {from: 'default'};

/** One text, or for a multi option all of them. */
export type Found = {texts: readonly string[]; origin: Origin};

/** A group and a key as they stand in a file. */
export type RawName = {group: string; name: string};

export const optionKey = (group: string, name: string): string => `[${group}] ${name}`;

export const environmentName = (group: string, name: string): string =>
  `OS_${group.toUpperCase()}__${name.toUpperCase()}`;

/** Where a value stands, for a problem. */
export function place(origin: Origin): {where: string; line?: number} {
  if (origin.from === 'file') return {where: origin.file, line: origin.line};
  return {where: origin.from === 'environment' ? `environment variable ${origin.variable}` : `the ${origin.from}`};
}

/** Raw texts by name. */
export class Lookup {
  readonly #inputs: Inputs;
  readonly #newestFirst: readonly ParsedFile[];

  constructor(inputs: Inputs) {
    this.#inputs = inputs;
    this.#newestFirst = inputs.files.toReversed();
  }

  /** Every name that stands in a file, groups normalised. */
  names(): RawName[] {
    const groups = this.#newestFirst.flatMap(file => [...file.groups]);
    return groups.flatMap(([group, keys]) => [...keys.keys()].map(name => ({group, name})));
  }

  commandLine(group: string, name: string): Found | undefined {
    const text = this.#inputs.overrides.get(optionKey(group, name));
    return text === undefined ? undefined : {texts: [text], origin: {from: 'command line'}};
  }

  /** A variable that is set to nothing is set. */
  environment(group: string, name: string): Found | undefined {
    const variable = environmentName(group, name);
    const text = this.#inputs.env[variable];
    return text === undefined ? undefined : {texts: [text], origin: {from: 'environment', variable}};
  }

  /**
   * Within one file an earlier name of `names` wins; a later name in a later file beats an earlier name in an earlier file.
   * Multi values are gathered from all of them, the oldest file first, and within a file those of the last name first.
   */
  files(names: readonly RawName[], multi: boolean): Found | undefined {
    const gathered: Assigned[] = [];
    let origin: Origin | undefined;
    for (const {groups} of this.#newestFirst) {
      for (const [index, {group, name}] of names.entries()) {
        const assigned = groups.get(normalGroup(group))?.get(name);
        const last = assigned?.at(-1);
        if (assigned === undefined || last === undefined) continue;
        origin ??= {from: 'file', file: last.file, line: last.line, ...(index > 0 ? {as: optionKey(group, name)} : {})};
        if (!multi) return {texts: [last.text], origin};
        gathered.unshift(...assigned);
      }
    }
    return origin === undefined ? undefined : {texts: gathered.map(({text}) => text), origin};
  }
}
