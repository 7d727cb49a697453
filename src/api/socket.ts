/** The agent's place in the file system: one socket, one listener, a mode that says who may drive it. */
import {chmod, lstat, rm} from 'node:fs/promises';
import {connect, type Server} from 'node:net';
import {CellarError} from '../core/errors.ts';

export type SocketOptions = {
  path: string;
  /** The access control: who may write to the socket may make and remove disks. */
  mode: number;
};

/** A listening socket that somebody else has opened, and keeps: its file descriptor. Its path and its rights are theirs. */
export type InheritedSocket = {fd: number};

/**
 * Listens on the path. A socket file on which nobody answers was left by an agent that died, and is taken away; one on which
 * somebody answers, and a file that is no socket, are `conflict`.
 */
export async function listenOn(server: Server, socket: SocketOptions | InheritedSocket): Promise<void> {
  if ('fd' in socket) return listenInherited(server, socket.fd);
  const {path, mode} = socket;
  if (path.includes('\0') || Buffer.byteLength(path) > maxPath) throw tooLong(path);
  await removeStale(path);
  try {
    await listenQuietly(server, path, mode);
    await chmod(path, mode);
  } catch (error) {
    server.close();
    throw cannotListen(path, error);
  }
}

/** sockaddr_un has 108 bytes with the closing zero; Node would cut a longer path, and listen somewhere else. */
const maxPath = 107;

const tooLong = (path: string) =>
  new CellarError('config', `the socket path is longer than ${maxPath} bytes: ${path}`, {
    hint: 'set [agent] socket to a shorter one',
    object: path,
  });

async function removeStale(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return;
  if (!stat.isSocket()) {
    throw new CellarError('conflict', `${path} exists and is no socket`, {hint: 'move it away', object: path});
  }
  if (await answers(path)) {
    throw new CellarError('conflict', `another agent listens on ${path}`, {
      hint: 'see `systemctl status cellar-agent`, or set [agent] socket to another path',
      object: path,
    });
  }
  await rm(path, {force: true});
}

/** Only a refusal proves that nobody is there: a full backlog (EAGAIN) or a missing right is somebody. */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', ({code}: NodeJS.ErrnoException) => settle(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}

function listenInherited(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(cannotListen(`the inherited socket (file descriptor ${fd})`, error)));
    server.listen({fd}, resolve);
  });
}

function listenQuietly(server: Server, path: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // bind() happens inside listen(), so the umask makes the file right from its first moment; chmod alone leaves a gap.
    const before = process.umask(0o777 & ~mode);
    try {
      server.listen({path}, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

function cannotListen(path: string, error: unknown): CellarError {
  const {code, message} = error as NodeJS.ErrnoException;
  const taken = code === 'EADDRINUSE';
  return new CellarError(taken ? 'conflict' : 'config', `cannot listen on ${path}: ${message}`, {
    hint: taken ? 'another agent started at the same moment' : 'check [agent] socket, and the rights of its directory',
    object: path,
    cause: error,
  });
}
