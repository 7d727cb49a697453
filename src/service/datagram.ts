import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';
import {getSystemErrorName} from 'node:util';
import {CellarError} from '../core/errors.ts';

/** Answers 0 or the errno. */
type Addon = {sendDatagram(path: string, text: string): number};

const path = fileURLToPath(new URL('../../build/Release/datagram.node', import.meta.url));
const full = 'EAGAIN';
let addon: Addon | undefined;

/**
 * Sends one datagram to a unix socket (`@name`: an abstract one), without waiting: false when its queue is full. Fails with `config`
 * when the addon cannot be loaded, `unavailable` when the other side does not take it.
 */
export function sendDatagram(socket: string, text: string): boolean {
  addon ??= load();
  const errno = addon.sendDatagram(socket, text);
  if (errno === 0) return true;
  const code = getSystemErrorName(-errno);
  if (code === full) return false;
  throw new CellarError('unavailable', `the service manager could not be told on ${socket} (${code})`, {
    object: socket,
  });
}

function load(): Addon {
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw new CellarError('config', `the addon that speaks to the service manager could not be loaded from ${path}`, {
      hint: 'install cellar anew; in a source tree: npm run build:native',
      cause,
    });
  }
}
