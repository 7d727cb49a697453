import {isIPv4, isIPv6} from 'node:net';
import {stringRepr} from './text.ts';
import {Invalid, type ValueType} from './types.ts';

const plain = {str: (value: string) => value, repr: stringRepr};

// Python's [A-Z] under IGNORECASE also takes these four: dotted I, dotless i, long s, the Kelvin sign.
const letters = 'A-Za-z\\u0130\\u0131\\u017f\\u212a';
// Python's $ also matches before a newline at the end, which a value from the environment may have.
const label = new RegExp(`^(?!-)[${letters}0-9-]{1,63}(?<!-)\\n?$`);
const domainLabel = new RegExp(`^(?!-)[${letters}0-9_-]{1,63}(?<!-)\\n?$`);

/** oslo's HostDomain: an IP address, or a host name in which underscores are allowed and the last label is not all digits. */
export function hostDomain(): ValueType<string> {
  const parse = (text: string): string => {
    if (isAddress(text)) return text;
    const name = hostName(text, label) ?? hostName(text, domainLabel);
    if (name === undefined) throw new Invalid('must be an IP address or a host name');
    return name;
  };
  return {name: 'host name or address', parse, ...plain};
}

// inet_pton() knows no zone (%eth0); Node's parser does.
const isAddress = (text: string): boolean => isIPv4(text) || (isIPv6(text) && !text.includes('%'));

function hostName(text: string, allowed: RegExp): string | undefined {
  if (text === '' || [...text].length > 253) return undefined;
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  const labels = name.split('.');
  if (!/[a-zA-Z-]/.test(labels.at(-1) ?? '')) return undefined;
  return labels.every(one => allowed.test(one)) ? name : undefined;
}

const unreserved = 'A-Za-z0-9._~\\-';
const delimiters = "!$&'()*+,;=";
const percent = '%[0-9A-Fa-f]{2}';
const octets = '(?:[0-9]{1,3}\\.){3}[0-9]{1,3}';
const h16 = '[0-9A-Fa-f]{1,4}';
const ls32 = `(?:${h16}:${h16}|${octets})`;
// RFC 3986 section 3.2.2: nine ways to write an IPv6 address, by how many groups stand before the double colon.
const ipv6 = [
  `(?:${h16}:){6}${ls32}`,
  `::(?:${h16}:){5}${ls32}`,
  `(?:${h16})?::(?:${h16}:){4}${ls32}`,
  `(?:(?:${h16}:)?${h16})?::(?:${h16}:){3}${ls32}`,
  `(?:(?:${h16}:){0,2}${h16})?::(?:${h16}:){2}${ls32}`,
  `(?:(?:${h16}:){0,3}${h16})?::${h16}:${ls32}`,
  `(?:(?:${h16}:){0,4}${h16})?::${ls32}`,
  `(?:(?:${h16}:){0,5}${h16})?::${h16}`,
  `(?:(?:${h16}:){0,6}${h16})?::`,
].join('|');
const zone = `(?:%25(?:[${unreserved}]|${percent})+)?`;
const future = `v[0-9A-Fa-f]+\\.[${unreserved}${delimiters}:]+`;
const literal = `\\[(?:(?:${ipv6})${zone}|${future})\\]`;
const name = `(?:${percent}|[${delimiters}${unreserved}])*`;
const user = `(?:[${unreserved}${delimiters}:]|${percent})+@`;
const authority = new RegExp(`^(?:${user})?(?<host>${name}|${literal}):?(?:[0-9]{1,5})?\\n?$`);
const reference = /^(?<scheme>[a-zA-Z][a-zA-Z0-9+.-]*):\/\/(?<authority>[^\\/?#]+)(?<path>[^?#]*)/;

/** oslo's URI: a scheme and a host, both well-formed by RFC 3986. */
export function uri(): ValueType<string> {
  const parse = (text: string): string => {
    const parts = reference.exec(text)?.groups;
    const host = authority.exec(parts?.['authority'] ?? '')?.groups?.['host'];
    if (parts === undefined || host === undefined) throw new Invalid('must be a URI such as https://host:port/path');
    const numbers = new RegExp(`^${octets}$`).test(host) ? host.split('.').map(Number) : [];
    if (numbers.some(one => one > 255)) throw new Invalid('has an IPv4 address with a number above 255');
    // Everything else in a path may be percent-encoded by whoever uses it.
    if (/[[\]]/.test(parts['path'] ?? '')) throw new Invalid('has a bracket in its path');
    return text;
  };
  return {name: 'URI', parse, ...plain};
}
