import type {Server} from 'node:net';
import {CellarError} from '../core/errors.ts';

/** An address, or a listening socket that somebody else has opened: its file descriptor. */
export type ListenAt = {host: string; port: number} | {fd: number};

/** `conflict` when somebody else listens there, `config` when it cannot be had for another reason. */
export function listenAt(server: Server, at: ListenAt): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(cannotListen(at, error));
    server.once('error', onError);
    server.listen(at, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function cannotListen(at: ListenAt, error: NodeJS.ErrnoException): CellarError {
  const object = 'fd' in at ? `the socket that was handed over (file descriptor ${at.fd})` : `${at.host}:${at.port}`;
  const taken = error.code === 'EADDRINUSE';
  return new CellarError(taken ? 'conflict' : 'config', `the facade cannot listen on ${object}: ${error.message}`, {
    hint: taken ? '`ss -ltnp` shows who does; see [facade] listen' : 'check [facade] listen',
    object,
    cause: error,
  });
}
