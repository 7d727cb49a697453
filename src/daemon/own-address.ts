import {networkInterfaces} from 'node:os';
import {type Address, formatAddress} from '../config/names.ts';

/**
 * Does this URL of Glance lead to our own facade? nova.conf says so on a host where Nova uses it, and asking ourselves would never
 * end. Names other than localhost are not looked up: under such a one the facade sees that its own requests come back.
 */
export function isOwn(url: string, listen: Address, ours: readonly string[] = hostAddresses()): boolean {
  const {protocol, hostname, port} = URL.parse(url.includes('//') ? url : `http://${url}`) ?? {};
  if (hostname === undefined || Number(port || (protocol === 'https:' ? 443 : 80)) !== listen.port) return false;
  const host = plain(hostname);
  const any = isAny(listen.host);
  if (host === plain(listen.host)) return true;
  // Whatever loopback is called, the port is taken on it: another server beside ours would be asking for trouble.
  if (isLoopback(host)) return any || isLoopback(listen.host);
  return any && ours.includes(host);
}

/** Is a socket that is bound there one that listens where it should? All addresses are the same in IPv4 and in IPv6. */
export function isSameAddress(bound: Address, wanted: Address): boolean {
  const [one, other] = [bound, wanted].map(address => plain(new URL(`http://${formatAddress(address)}`).hostname));
  return bound.port === wanted.port && (one === other || (isAny(one) && isAny(other)));
}

const isAny = (host: string | undefined): boolean => host === '0.0.0.0' || host === '::';

/** 127.0.0.0/8 and ::1, by address or name. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d+){3}|::1)$/i.test(plain(host));

/** Without brackets, and an IPv4 address in an IPv6 one as itself. */
function plain(host: string): string {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(bare);
  if (mapped === null) return bare.replace(/^::ffff:(?=\d+\.)/, '');
  const bytes = mapped.slice(1).flatMap(group => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
  return bytes.join('.');
}

const hostAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({address}) => address));
