/** Why the agent cannot be reached, and what the operator does about it. */
import {readFile, stat} from 'node:fs/promises';
import {CellarError} from '../core/errors.ts';

/** The error for what a connection to the socket, or a request on it, failed with. */
export async function unreachable(socket: string, code: string | undefined, message: string): Promise<CellarError> {
  // A plain error: the HTTP library's own carries the request's headers, the token among them.
  const cause = Object.assign(new Error(message), {code});
  const seeUnit = 'see `systemctl status cellar-agent`';
  const fail = (why: string, hint: string) => new CellarError('unreachable', why, {hint, object: socket, cause});
  switch (code) {
    case 'ENOENT':
      return fail(
        `the agent's socket ${socket} does not exist`,
        `is the agent running? ${seeUnit}; another path goes by --socket, CELLAR_SOCKET or [agent] socket`,
      );
    case 'ECONNREFUSED':
      return fail(`nobody answers on the agent's socket ${socket}`, `the agent is not running: ${seeUnit}`);
    case 'ENOTSOCK':
    case 'ENOTDIR':
      return fail(`${socket} is no socket`, 'check --socket, CELLAR_SOCKET and [agent] socket');
    case 'EACCES':
    case 'EPERM':
      return new CellarError('forbidden', `you may not use the agent's socket ${socket}`, {
        hint: await accessHint(socket),
        object: socket,
        cause,
      });
    default:
      return fail(
        `the connection to the agent on ${socket} broke: ${code ?? message}`,
        `the agent stopped while it worked on the request; try again, and ${seeUnit}`,
      );
  }
}

async function accessHint(socket: string): Promise<string> {
  try {
    const {gid} = await stat(socket);
    return `be a member of the socket's group ${await groupName(gid)}, or be root`;
  } catch {
    return "be a member of the socket directory's group, or be root";
  }
}

/** Local groups only: Node has no getgrgid, and a number helps as well. */
async function groupName(gid: number): Promise<string> {
  const lines = (await readFile('/etc/group', 'utf8')).split('\n').map(line => line.split(':'));
  return lines.find(fields => fields[2] === String(gid))?.[0] ?? String(gid);
}
