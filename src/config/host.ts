import {readFileSync} from 'node:fs';
import {hostname, networkInterfaces} from 'node:os';
import type {HostDefault} from './option.ts';

/** Nova's default of `[DEFAULT] host`. */
export const hostName: HostDefault = {text: 'the name of the host', value: hostname};

/** Nova's default of `[DEFAULT] my_ip`. */
export const hostAddress: HostDefault = {
  text: 'the IPv4 address of the default route',
  value: () => addressOf(defaultInterface()),
};

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
