import type {AddressInfo} from 'node:net';
import {type Address, formatAddress} from '../config/names.ts';
import {CellarError} from '../core/errors.ts';
import {isSameAddress} from './own-address.ts';

/** The sockets that may be handed over: `FileDescriptorName=` of the socket units. */
export const socketNames = ['cellar', 'facade'] as const;

export type SocketName = (typeof socketNames)[number];

/** File descriptors of listening sockets that were opened for us. */
export type Inherited = Partial<Record<SocketName, number>>;

type Environment = Record<string, string | undefined>;

/** The first one; systemd's SD_LISTEN_FDS_START. */
const first = 3;

/**
 * systemd's protocol for sockets that outlive the process: while the agent is restarted, connections wait in their queue. Takes
 * the variables out of the environment, so that no child believes that they are meant for it. `config` for a socket whose name says
 * nothing to us: nobody would answer on it.
 */
export function takeSockets(env: Environment = process.env, pid: number = process.pid): Inherited {
  const {LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = ''} = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete env[name];
  if (LISTEN_PID !== String(pid)) return {}; // they were our parent's
  const count = Number(LISTEN_FDS);
  if (!Number.isInteger(count) || count < 1) return {};
  const names = LISTEN_FDNAMES.split(':');
  const inherited: Inherited = {};
  for (let index = 0; index < count; index++) {
    const name = names[index] ?? '';
    if (!isName(name)) throw unknownName(name);
    if (inherited[name] !== undefined) throw twice(name);
    inherited[name] = first + index;
  }
  return inherited;
}

/**
 * `config` when the facade's socket that was handed over is bound to another address than `[facade] listen`. By that option the agent
 * tells its own URL from Glance's: with another one it would take Nova's for the real Glance's, and ask itself.
 */
export function checkFacadeSocket(bound: AddressInfo | string | null, listen: Address): void {
  const where = typeof bound === 'object' && bound !== null ? {host: bound.address, port: bound.port} : undefined;
  if (where !== undefined && isSameAddress(where, listen)) return;
  const object = where === undefined ? (bound ?? 'no address') : formatAddress(where);
  throw new CellarError(
    'config',
    `the facade's socket that was handed over is bound to ${object}, but [facade] listen is ${formatAddress(listen)}`,
    {hint: 'make ListenStream= of cellar-facade.socket and [facade] listen the same address', object: String(object)},
  );
}

const isName = (name: string): name is SocketName => socketNames.includes(name as SocketName);

const unknownName = (name: string) =>
  new CellarError('config', `a socket was handed over whose name is ${JSON.stringify(name)}`, {
    hint: `set FileDescriptorName= of the socket unit to one of: ${socketNames.join(', ')}`,
  });

const twice = (name: string) =>
  new CellarError('config', `two sockets were handed over whose name is ${name}`, {
    hint: 'one ListenStream= for each of the socket units',
  });
