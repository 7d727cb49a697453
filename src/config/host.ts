import {createSocket} from 'node:dgram';
import {readFileSync} from 'node:fs';
import {hostname, networkInterfaces} from 'node:os';
import type {HostDefault} from './option.ts';

/** Nova's default of `[DEFAULT] host`. */
export const hostName: HostDefault = {text: 'the name of the host', value: hostname};

/** Nova's default of `[DEFAULT] my_ip`. */
export const hostAddress: HostDefault = {
  text: 'the IPv4 address of the default route',
  value: () => sourceAddress() ?? addressOf(defaultInterface()),
};

/** Addresses of RFC 5737, which are nobody's: the first is the one that oslo.utils takes; this host may be in its network. */
const elsewhere = ['192.0.2.0', '198.51.100.1'];

/** The address that this host would send from; no packet goes out. Needs no /proc, which a service may not see. */
function sourceAddress(): string | undefined {
  return elsewhere.map(sourceTowards).find(address => address !== undefined && address !== '0.0.0.0');
}

function sourceTowards(target: string): string | undefined {
  // With a lookup that answers at once the socket is connected when connect() returns: an option's value cannot be waited for.
  const socket = createSocket({type: 'udp4', lookup: (host, _options, done) => done(null, host, 4)});
  socket.on('error', () => {});
  try {
    socket.connect(9, target);
    return socket.address().address;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** The first IPv4 address of an interface; without one, the loopback's, as oslo.utils says. */
function addressOf(name: string | undefined): string {
  const addresses = name === undefined ? [] : (networkInterfaces()[name] ?? []);
  return addresses.find(one => one.family === 'IPv4')?.address ?? '127.0.0.1';
}

function defaultInterface(): string | undefined {
  let routes: string;
  try {
    routes = readFileSync('/proc/net/route', 'utf8');
  } catch {
    return undefined;
  }
  // Destination and mask are the second and eighth column; all zero is the default route.
  const rows = routes.split('\n').map(row => row.split('\t'));
  return rows.find(columns => columns[1] === '00000000' && columns[7] === '00000000')?.[0];
}
