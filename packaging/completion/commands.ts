/** The command line as data: what the man page and the completions are made of. */
import {PassThrough} from 'node:stream';
import yargs, {type Argv} from 'yargs';
import {createParser} from '../../src/cli/parser.ts';

/** `flags` as they are typed: `--quiet`, and `-q` where there is one. */
export type OptionEntry = {flags: string[]; takesValue: boolean; required: boolean; help: string};

export type Positional = {name: string; required: boolean; help: string};

export type CommandEntry = {
  /** Its words: `['disk', 'create']`; none for `cellar` itself. */
  path: string[];
  help: string;
  /** The head of its help page: `Usage: …`, then its examples. */
  usage: string;
  positionals: Positional[];
  /** Its own; the global ones are those of the entry without words. */
  options: OptionEntry[];
  /** The last words of the commands below it. */
  children: string[];
};

/** What yargs' parser tells of itself to its own help page and completion. */
type Insight = {
  getOptions(): {
    key: Record<string, unknown>;
    boolean: string[];
    alias: Record<string, string[]>;
    demandedOptions: Record<string, unknown>;
  };
  getInternalMethods(): {
    getUsageInstance(): {getDescriptions(): Record<string, string>; getUsage(): [string, string][]};
    getCommandInstance(): {getCommandHandlers(): Record<string, Handler>};
  };
};

type Handler = {
  original: string;
  description: string;
  builder: (parser: Argv) => unknown;
  demanded: {cmd: string[]}[];
  optional: {cmd: string[]}[];
};

/** Every command of `cellar`, parents before children; the first entry is `cellar` itself. */
export function commandTable(): CommandEntry[] {
  const parser = createParser([], () => async () => {}, {stdout: new PassThrough() as never});
  return entriesOf(parser as unknown as Insight, [], undefined);
}

function entriesOf(parser: Insight, path: string[], handler: Handler | undefined): CommandEntry[] {
  const internal = parser.getInternalMethods();
  const usage = internal.getUsageInstance();
  const children = Object.entries(internal.getCommandInstance().getCommandHandlers());
  const names = positionalsOf(handler);
  const descriptions = usage.getDescriptions();
  const entry = {
    path,
    help: handler?.description ?? '',
    usage: usage.getUsage()[0]?.[0] ?? '',
    positionals: names.map(positional => ({...positional, help: text(descriptions[positional.name])})),
    options: optionsOf(parser, descriptions, [...names.map(({name}) => name), ...(handler ? ['help', 'version'] : [])]),
    children: children.map(([name]) => name),
  };
  const below = children.flatMap(([name, each]) => {
    const child = yargs([]) as unknown as Argv;
    each.builder(child);
    return entriesOf(child as unknown as Insight, [...path, name], each);
  });
  return [entry, ...below];
}

const positionalsOf = (handler: Handler | undefined) => [
  ...(handler?.demanded ?? []).map(({cmd: [name = '']}) => ({name, required: true})),
  ...(handler?.optional ?? []).map(({cmd: [name = '']}) => ({name, required: false})),
];

function optionsOf(parser: Insight, descriptions: Record<string, string>, without: string[]): OptionEntry[] {
  const {key, boolean, alias, demandedOptions} = parser.getOptions();
  const shortOf = (name: string) => [
    ...(alias[name] ?? []),
    ...Object.entries(alias).flatMap(([short, names]) => (names.includes(name) ? [short] : [])),
  ];
  const aliases = new Set(
    Object.values(alias)
      .flat()
      .filter(name => name.length === 1),
  );
  return Object.keys(key)
    .filter(name => !without.includes(name) && !aliases.has(name))
    .map(name => ({
      flags: [`--${name}`, ...shortOf(name).map(short => (short.length === 1 ? `-${short}` : `--${short}`))],
      takesValue: !boolean.includes(name),
      required: name in demandedOptions,
      help: text(descriptions[name]),
    }));
}

/** yargs marks its own texts, which it would translate. */
const text = (description = ''): string => description.replace(/^__yargsString__:/, '');
