/** What goes where: data to stdout, in one of three forms; messages to stderr. */
import type {Writable} from 'node:stream';
import {type CellarError, errorKinds} from '../core/errors.ts';
import {harmless} from './table.ts';

export type Format = 'text' | 'json' | 'ids';

/** What a command found, ready for each form. */
export type Result = {
  /** One object with "schema": 1. */
  json: object;
  ids: readonly string[];
  /** With its line ends. */
  text: string;
  /** Words at the start of a line that are red on a terminal. */
  alarming?: readonly string[];
  /** Words of the text that have a colour on a terminal. */
  marks?: readonly Mark[];
  /** 0 unless the answer itself is bad news. */
  exit?: number;
};

/** The pattern is global. */
export type Mark = {words: RegExp; colour: 'red' | 'green' | 'yellow'};

/** `columns` of a terminal; some terminals say 0. */
type Stream = Writable & {isTTY?: boolean; columns?: number};

export type Terminal = {
  stdout: Stream;
  stderr: Stream;
  env: Readonly<Record<string, string | undefined>>;
};

/** Writes the result in the form that was asked for; answers the exit code. */
export function printResult(terminal: Terminal, format: Format, result: Result): number {
  const {stdout} = terminal;
  const {json, ids, text, alarming = [], marks = [], exit = 0} = result;
  if (format === 'json') stdout.write(`${JSON.stringify(json)}\n`);
  else if (format === 'ids') stdout.write(ids.map(id => `${harmless(id)}\n`).join(''));
  else stdout.write(painted(terminal, harmless(text), alarming, marks));
  return exit;
}

export type ErrorStyle = {
  format: Format;
  /** Stack and causes too. */
  debug: boolean;
  /** Struck out, whatever put them there. */
  secrets: readonly string[];
};

/**
 * Writes the error for people to stderr, and with --json the same as an object to stdout, where a script reads. Answers the
 * exit code.
 */
export function printError(terminal: Terminal, error: CellarError, {format, debug, secrets}: ErrorStyle): number {
  // What is shorter is no token of Keystone's, and striking it out would only garble the message.
  const long = secrets.filter(secret => secret.length >= 8);
  const clean = (text: string) => long.reduce((cleaned, secret) => cleaned.replaceAll(secret, '***'), harmless(text));
  const {kind, message, hint, object} = error;
  const {stdout, stderr} = terminal;
  stderr.write(`${red(terminal, 'cellar:')} ${clean(message)}\n`);
  if (hint !== undefined) stderr.write(`  ${clean(hint)}\n`);
  if (debug) stderr.write(`${clean(chain(error).join('\n'))}\n`);
  if (format === 'json') stdout.write(`${clean(JSON.stringify({schema: 1, error: {kind, message, hint, object}}))}\n`);
  return errorKinds[kind].exit;
}

export function printWarning(terminal: Terminal, message: string): void {
  terminal.stderr.write(`${red(terminal, 'cellar: warning:')} ${harmless(message)}\n`);
}

const red = ({stderr, env}: Terminal, text: string): string => (takesColour(stderr, env) ? inRed(text) : text);

function painted({stdout, env}: Terminal, text: string, words: readonly string[], marks: readonly Mark[]): string {
  if (!takesColour(stdout, env)) return text;
  const marked = marks.reduce(
    (all, {words: pattern, colour}) => all.replace(pattern, word => inColour(word, colour)),
    text,
  );
  if (words.length === 0) return marked;
  return marked.replace(new RegExp(`^(${words.join('|')})\\b`, 'gm'), inRed);
}

const codes = {red: 31, green: 32, yellow: 33} as const;

const inColour = (text: string, colour: Mark['colour']): string => `\x1b[${codes[colour]}m${text}\x1b[39m`;

const inRed = (text: string): string => inColour(text, 'red');

/** https://no-color.org: set and not empty means no. */
const takesColour = (stream: Stream, env: Terminal['env']): boolean =>
  Boolean(stream.isTTY) && !env['NO_COLOR'] && env['TERM'] !== 'dumb';

/** The stacks of an error and of what caused it. Stacks only: other fields of a foreign error may hold anything. */
function chain(error: unknown): string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  for (let one = error; one !== undefined && !seen.has(one); one = one instanceof Error ? one.cause : undefined) {
    seen.add(one);
    const text = one instanceof Error ? (one.stack ?? one.message) : String(one);
    lines.push(lines.length === 0 ? text : `caused by: ${text}`);
  }
  return lines;
}
