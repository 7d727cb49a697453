/**
 * Holds the agent's listening sockets, as systemd does, and runs the agent on them, again when it has ended. It never accepts a
 * connection: while the agent runs this process stands still.
 *
 * Arguments: the unix socket, the facade's port, the agent's own. It is ended by SIGKILL, after the agent.
 */
import {spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {createServer, type Server} from 'node:net';

const [path = '', port = '', ...agent] = process.argv.slice(2);
const api = createServer().listen(path);
const facade = createServer().listen(Number(port), '127.0.0.1');
await Promise.all([once(api, 'listening'), once(facade, 'listening')]);

const fdOf = (server: Server): number => (server as unknown as {_handle: {fd: number}})._handle.fd;

for (;;) {
  // The shell knows the agent's process id before the agent runs: it becomes the agent.
  spawnSync('sh', ['-c', 'export LISTEN_PID=$$; exec "$@"', 'sh', process.execPath, ...agent], {
    stdio: ['ignore', 'inherit', 'inherit', fdOf(facade), fdOf(api)],
    env: {...process.env, LISTEN_FDS: '2', LISTEN_FDNAMES: 'facade:cellar'},
  });
}
