import {type Exposure, exposedSecrets} from './exposed.ts';
import type {Inputs, Origin} from './lookup.ts';
import type {Option, Table, Value} from './option.ts';
import {Fault, type Problem, problemsError} from './problem.ts';
import {Resolver} from './resolver.ts';
import {maskSecret, maskUrls} from './secret.ts';
import {unknownOptions} from './unknown.ts';

/** One option as it stands, for `cellar config show`: secrets are masked, a value that cannot be read is its problem. */
export type ConfigEntry = {
  group: string;
  name: string;
  /** As it would be written in a file; empty when there is none. */
  text: string;
  /** For JSON; a secret's is its masked text. */
  value: unknown;
  origin: Origin;
  option: Option<unknown>;
  problem?: Problem;
};

export type Config<T extends Table> = {
  /** The files that were read, in order: later ones win. */
  readonly files: readonly string[];
  /**
   * An option's value. Fails with a `config` error when it cannot be read, and only then. `section` reads the group's options
   * from another section, as keystoneauth's auth_section does.
   */
  get<G extends keyof T & string, N extends keyof T[G] & string>(group: G, name: N, section?: string): Value<T, G, N>;
  /** Everything that is wrong: with the files, with names in our sections, with every value. Empty when all is well. */
  check(): Problem[];
  /** Files with secrets that everybody on the host can read. They keep nothing from working. */
  exposed(): Exposure[];
  /** Every option in the table's order. */
  entries(): ConfigEntry[];
};

/** The options of a table over what was read. `problems` are those of the files. */
export function createConfig<T extends Table>(table: T, inputs: Inputs, problems: readonly Problem[]): Config<T> {
  const resolvers = new Map([['', new Resolver(table, inputs)]]);
  const own = resolvers.get('') as Resolver;

  const elsewhere = (group: string, section: string): Resolver => {
    const key = `${group}\n${section}`;
    const resolver =
      resolvers.get(key) ?? new Resolver({...table, [section]: {...table[group], ...table[section]}}, inputs);
    resolvers.set(key, resolver);
    return resolver;
  };
  const each = <R>(act: (group: string, name: string, option: Option<unknown>) => R): R[] =>
    Object.entries(table).flatMap(([group, options]) =>
      Object.entries(options).map(([name, option]) => act(group, name, option)),
    );

  return {
    files: inputs.files.map(({path}) => path),
    get(group, name, section = group) {
      const resolver = section === group ? own : elsewhere(group, section);
      const reading = attempt(() => resolver.read(section, name));
      if (reading instanceof Fault) throw problemsError([reading.problem]);
      return reading?.value as Value<T, typeof group, typeof name>;
    },
    check() {
      const readings = each((group, name) => attempt(() => own.read(group, name)));
      const values = readings.flatMap(reading => (reading instanceof Fault ? [reading.problem] : []));
      // A value that others refer to fails them too: it is told once.
      return [...problems, ...unknownOptions(table, inputs), ...new Set(values)];
    },
    exposed: () => exposedSecrets(table, inputs.files),
    entries: () => each((group, name, option) => entry(own, group, name, option)),
  };
}

/** What came of it; a Fault is a value here, any other error is thrown on. */
function attempt<R>(act: () => R): R | Fault {
  try {
    return act();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

function entry(resolver: Resolver, group: string, name: string, option: Option<unknown>): ConfigEntry {
  const base = {group, name, option, origin: resolver.origin(group, name)};
  const reading = attempt(() => resolver.read(group, name));
  if (reading instanceof Fault) return {...base, text: '', value: undefined, problem: reading.problem};
  const plain = inFile(reading?.value, option);
  const text = reading?.secret === true ? maskSecret(plain) : maskUrls(plain);
  return {...base, text, value: text === plain ? reading?.value : text};
}

/** A value as a file would hold it. */
function inFile(value: unknown, {type}: Option<unknown>): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.join(',');
  if (value instanceof Map) return [...value].map(([key, one]) => `${key}:${one}`).join(',');
  return typeof value === 'boolean' ? String(value) : type.str(value);
}
