/**
 * Headers on their way through, in the order and the case they came in. Those that are about one connection end here (RFC 9110,
 * 7.6.1). Nothing is added that tells of us: the answers are to be Glance's own.
 */

import type {IncomingHttpHeaders} from 'node:http';

/** As Node has them: name, value, name, value. */
export type RawHeaders = readonly string[];

const ofConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The headers for the other side. `change` has new values, by lower-case name, for those that are there; undefined drops one. */
export function endToEnd(raw: RawHeaders, change: Record<string, string | undefined> = {}): string[] {
  const named = namedByConnection(raw);
  return pairs(raw).flatMap(([name, value]) => {
    const key = name.toLowerCase();
    if (Object.hasOwn(change, key)) return change[key] === undefined ? [] : [name, change[key]];
    return ofConnection.has(key) || named.has(key) ? [] : [name, value];
  });
}

/** As Nova's client and oslo.middleware write it. */
const requestIdForm = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The caller's request id, if it has the form of one. */
export function requestIdIn(headers: IncomingHttpHeaders): string | undefined {
  const given = headers['x-openstack-request-id'];
  return typeof given === 'string' && requestIdForm.test(given) ? given : undefined;
}

export const hasHeader = (raw: RawHeaders, wanted: string): boolean =>
  pairs(raw).some(([name]) => name.toLowerCase() === wanted);

/** `Connection: a, b` makes a and b headers of the connection too. The length and the host are not for it to take away. */
function namedByConnection(raw: RawHeaders): Set<string> {
  const names = pairs(raw)
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map(name => name.trim().toLowerCase()));
  return new Set(names.filter(name => name !== 'content-length' && name !== 'host'));
}

function pairs(raw: RawHeaders): [string, string][] {
  return Array.from({length: raw.length / 2}, (_, index) => [raw[2 * index] ?? '', raw[2 * index + 1] ?? '']);
}
