import type {Server} from 'node:net';
import {CellarError} from '../core/errors.ts';
import {listenFailure} from '../core/listening.ts';

/** An address, or a listening socket that somebody else has opened: its file descriptor. */
export type ListenAt = {host: string; port: number} | {fd: number};

/** `conflict` when somebody else listens there, `unavailable` when the address is not there yet, `config` for any other reason. */
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
  const kind = listenFailure(error.code);
  return new CellarError(kind, `the facade cannot listen on ${object}: ${error.message}`, {
    hint: hints[kind],
    object,
    cause: error,
  });
}

const hints = {
  conflict: '`ss -ltnp` shows who does; see [facade] listen',
  unavailable: '`ip address` shows the addresses that this host has; see [facade] listen',
  config: 'check [facade] listen',
};
