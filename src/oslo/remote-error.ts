/** What a remote procedure threw, as an error that can be told apart by its Python class. */
import {CellarError, type ErrorKind} from '../core/errors.ts';

export type RemoteFailure = {
  /** The Python class: ComputeHostNotFound. */
  class: string;
  /** Its module: nova.exception. */
  module: string;
  message: string;
  args: unknown[];
  kwargs: Record<string, unknown>;
  /** Names files and lines, and may quote SQL: for debugging only, so it is not enumerable. */
  readonly traceback: string;
};

/** The other side ran the procedure, or refused to, and said why. */
export class RemoteError extends CellarError {
  readonly remote: RemoteFailure;

  constructor(what: string, remote: RemoteFailure) {
    const hint = hints.get(remote.class);
    super(kindOf(remote), `${what}: ${remote.class}: ${remote.message}`, hint === undefined ? {} : {hint});
    this.remote = remote;
  }
}

/** Is this error the remote one of this class? */
export const isRemote = (error: unknown, ...classes: string[]): error is RemoteError =>
  error instanceof RemoteError && (classes.length === 0 || classes.includes(error.remote.class));

/** Reads the `failure` of a reply. A text that is none of oslo.messaging's is a failure too, of no known class. */
export function readFailure(json: string): RemoteFailure {
  const {class: name, module, message, args, kwargs, tb} = parse(json);
  const failure = {
    class: text(name, 100) || 'UnknownError',
    module: text(module, 100),
    message: text(message, 1000),
    args: Array.isArray(args) ? (clean(args) as unknown[]) : [],
    kwargs: isRecord(kwargs) ? (clean(kwargs) as Record<string, unknown>) : {},
  };
  const traceback = Array.isArray(tb)
    ? tb
        .map(line => text(line, 2000))
        .slice(-100)
        .join('')
    : '';
  return Object.defineProperty(failure, 'traceback', {value: traceback, enumerable: false}) as RemoteFailure;
}

function kindOf({class: name, module, kwargs}: RemoteFailure): ErrorKind {
  if (tooOld.includes(name) || name === 'CantStartEngineError') return 'config';
  // Some say 400 where others say 404 or 409.
  if (name.endsWith('NotFound')) return 'not-found';
  if (name.endsWith('Exists') || name === 'DBDuplicateEntry') return 'conflict';
  if (module.startsWith('oslo_db') || name === 'MessagingTimeout') return 'unavailable';
  // Nova's exceptions carry the status that its API would answer.
  return statuses.get(kwargs['code']) ?? 'internal';
}

const statuses = new Map<unknown, ErrorKind>([
  [400, 'usage'],
  [403, 'forbidden'],
  [404, 'not-found'],
  [409, 'conflict'],
  [503, 'unavailable'],
]);

const tooOld = ['UnsupportedVersion', 'NoSuchMethod', 'IncompatibleObjectVersion', 'UnsupportedObjectError'];

const hints = new Map<string, string>([
  ...tooOld.map((name): [string, string] => [
    name,
    "the conductor's Nova is of a release that cellar does not know how to speak to",
  ]),
  ['CantStartEngineError', 'the conductor has no [api_database] connection'],
]);

/** JSON with every text in it cleaned; what is nested deeper than errors are is left out. */
function clean(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return text(value, 1000);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > 4) return null;
  if (Array.isArray(value)) return value.slice(0, 100).map(one => clean(one, depth + 1));
  const entries = Object.entries(value).slice(0, 100);
  return Object.fromEntries(entries.map(([name, one]) => [name, clean(one, depth + 1)]));
}

/** A text without passwords in its URLs, and of bounded length. */
function text(value: unknown, limit: number): string {
  if (typeof value !== 'string') return '';
  // Of a URL that is cut nobody sees any more where its password ends.
  const short = value.length > limit ? `${value.slice(0, limit).replace(/:\/\/\S*$/, '://***')}…` : value;
  return short.replace(/(:\/\/)[^\s/@]*:\S*@/g, '$1***@').toWellFormed();
}

function parse(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (isRecord(value)) return value;
  } catch {
    // Then the text is all there is.
  }
  return {message: json};
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
