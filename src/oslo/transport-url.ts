/** transport_url, read as oslo.messaging reads it: with Python's urlparse, and several hosts. */
import {CellarError} from '../core/errors.ts';

export type TransportHost = {
  hostname: string | undefined;
  port: number | undefined;
  username: string | undefined;
  password: string | undefined;
};

export type TransportUrl = {
  /** The scheme, in lower case. */
  transport: string;
  hosts: TransportHost[];
  /** Without its leading slash, decoded; undefined when the URL has no path. */
  virtualHost: string | undefined;
  /** Options of [oslo_messaging_rabbit] that the URL overrides. */
  query: Record<string, string>;
  /** There is an @ after the hosts and none in them: what was read as a host may be half a password. */
  stray: boolean;
};

/** `config` for what oslo.messaging cannot read either. The error says where, and never what stands there: it may be part of a password. */
export function parseTransportUrl(text: string): TransportUrl {
  const url = split(text);
  if (url.scheme === '') throw refused('it has no scheme');
  return {
    transport: url.scheme,
    hosts: url.netloc
      .split(',')
      .filter(host => host !== '')
      .map(parseHost),
    virtualHost: url.path.startsWith('/') ? unquote(url.path.slice(1)) : undefined,
    query: parseQuery(url.query),
    stray: !url.netloc.includes('@') && text.includes('@'),
  };
}

/** For messages: no password, and no query. */
export function redacted({transport, hosts, virtualHost, stray}: TransportUrl): string {
  if (stray) return `${transport}://***`;
  const names = hosts.map(({hostname = '', port, username, password}) => {
    const user = username === undefined ? '' : encodeURIComponent(username.toWellFormed());
    const secret = password === undefined ? '' : ':***';
    const host = hostname.includes(':') ? `[${hostname}]` : hostname;
    return `${user}${secret}${user || secret ? '@' : ''}${host}${port === undefined ? '' : `:${port}`}`;
  });
  return `${transport}://${names.join(',')}/${virtualHost ?? ''}`;
}

function split(text: string): {scheme: string; netloc: string; path: string; query: string} {
  // Python's urlsplit takes away the same.
  let rest = text.replace(/^[\0-\x20]+/, '').replace(/[\t\r\n]/g, '');
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(rest)?.[1] ?? '';
  if (scheme) rest = rest.slice(scheme.length + 1);
  let netloc = '';
  if (rest.startsWith('//')) {
    netloc = /^[^/?#]*/.exec(rest.slice(2))?.[0] ?? '';
    rest = rest.slice(2 + netloc.length);
    if (netloc.includes('[') !== netloc.includes(']')) throw refused('a bracket of an IPv6 address is missing');
    if (foldsToDelimiter(netloc)) throw refused('a host has a character that stands for one of / ? # @ :');
  }
  const [beforeFragment = ''] = rest.split('#', 1);
  const [path = ''] = beforeFragment.split('?', 1);
  return {scheme: scheme.toLowerCase(), netloc, path, query: beforeFragment.slice(path.length + 1)};
}

/** Some letters become a delimiter under NFKC: another reader might see another host. */
function foldsToDelimiter(netloc: string): boolean {
  const bare = netloc.replace(/[@:#?]/g, '');
  const folded = bare.normalize('NFKC');
  return bare !== folded && /[/?#@:]/.test(folded);
}

function parseHost(text: string, index: number): TransportHost {
  const at = text.lastIndexOf('@');
  const host = text.slice(at + 1);
  return {...parseCredentials(at < 0 ? undefined : text.slice(0, at)), ...parseAddress(host, index + 1)};
}

function parseCredentials(text: string | undefined): Pick<TransportHost, 'username' | 'password'> {
  if (text === undefined) return {username: undefined, password: undefined};
  const colon = text.indexOf(':');
  if (colon < 0) return {username: unquote(text), password: undefined};
  return {username: unquote(text.slice(0, colon)), password: unquote(text.slice(colon + 1))};
}

function parseAddress(text: string, number: number): Pick<TransportHost, 'hostname' | 'port'> {
  if (text === '') return {hostname: undefined, port: undefined};
  if (!text.startsWith('[')) {
    const colon = text.indexOf(':');
    if (colon < 0) return {hostname: text, port: undefined};
    return {hostname: text.slice(0, colon), port: parsePort(text.slice(colon + 1), number)};
  }
  const end = text.indexOf(']');
  if (end < 0) throw refused(`host ${number} is not an IPv6 address`);
  const colon = text.indexOf(':', end);
  return {hostname: text.slice(1, end), port: colon < 0 ? undefined : parsePort(text.slice(colon + 1), number)};
}

function parsePort(text: string, number: number): number | undefined {
  if (text === '') return undefined;
  if (!/^\s*[+-]?\d+(?:_\d+)*\s*$/.test(text)) {
    throw refused(`the port of host ${number} is no number`);
  }
  return Number(text.trim().replaceAll('_', '')) + 0;
}

/** Repeated keys are joined; keys without a value do not count. */
function parseQuery(text: string): Record<string, string> {
  const values = new Map<string, string[]>();
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || equals === pair.length - 1) continue;
    const key = unquote(pair.slice(0, equals).replaceAll('+', ' '));
    values.set(key, [...(values.get(key) ?? []), unquote(pair.slice(equals + 1).replaceAll('+', ' '))]);
  }
  return Object.fromEntries([...values].map(([key, list]) => [key, list.join(',')]));
}

/** %-escapes as UTF-8; those that are not are left, or become U+FFFD, as in Python. */
export function unquote(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, run => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
}

export const urlHint =
  'it is written rabbit://USER:PASSWORD@HOST:PORT/VHOST; in a password / ? # @ : , are %2F %3F %23 %40 %3A %2C';

const refused = (why: string) => new CellarError('config', `transport_url: ${why}`, {hint: urlHint});
