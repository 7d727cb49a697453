/** A real RabbitMQ on loopback: a virtual host for the API services and one for each cell. */
import {createHash, randomBytes} from 'node:crypto';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {obituary, recordedDaemon, startDaemon, stopDaemon} from '../daemon.ts';
import {waitFor} from '../run.ts';
import {logText} from './log.ts';
import {inNamespace} from './namespace.ts';
import type {NovaState} from './state.ts';

export type RabbitOptions = {ports: {rabbit: number; rabbitDistribution: number; epmd: number}; tied?: boolean};

/** Writes its files; `startRabbit` may then be called again and again. */
export function makeRabbit(nova: NovaState, {ports}: RabbitOptions): void {
  const dir = rabbitDir(nova);
  mkdirSync(dir, {recursive: true, mode: 0o700});
  writeFileSync(
    join(dir, 'rabbit.conf'),
    `listeners.tcp.default = 127.0.0.1:${ports.rabbit}
load_definitions = ${dir}/definitions.json
log.file = ${logFile(nova)}
# a machine that is nearly full elsewhere is no reason to stop here
disk_free_limit.absolute = 50MB
`,
  );
  writeFileSync(join(dir, 'plugins'), '[].\n');
  writeFileSync(join(dir, 'definitions.json'), JSON.stringify(definitions(nova)), {mode: 0o600});
}

/** Starts it and resolves when it takes connections. Its data are where they were. */
export async function startRabbit(nova: NovaState, {ports, tied = false}: RabbitOptions): Promise<void> {
  const dir = rabbitDir(nova);
  const env = {
    HOME: dir, // its cookie
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmd),
    RABBITMQ_NODENAME: 'cellar@localhost',
    RABBITMQ_DIST_PORT: String(ports.rabbitDistribution),
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbit.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  };
  const since = logText(logFile(nova)).length;
  // not Debian's wrapper, which becomes another user; and a namespace, because it leaves an epmd behind
  const command = inNamespace({command: ['/usr/lib/rabbitmq/bin/rabbitmq-server']});
  const daemon = startDaemon(nova.dir, 'rabbitmq', command, {logs: [logFile(nova)], tied, env, namespace: true});
  const started = async () => {
    if (!logText(logFile(nova)).slice(since).includes('Server startup complete')) throw new Error('it has not said so');
  };
  await waitFor('RabbitMQ', started, {stop: () => obituary(daemon)});
}

/** Ends it in order; every connection to it breaks. */
export async function stopRabbit(nova: NovaState): Promise<void> {
  const daemon = recordedDaemon(nova.dir, 'rabbitmq');
  if (daemon) await stopDaemon(daemon, 20_000);
}

const rabbitDir = ({dir}: NovaState) => join(dir, 'rabbit');
const logFile = ({dir}: NovaState) => join(dir, 'log', 'rabbit.log');

function definitions(nova: NovaState): object {
  const user = nova.database.user;
  const vhosts = ['api', ...nova.cells.map(cell => cell.name)];
  return {
    users: [
      {
        name: user,
        password_hash: passwordHash(nova.database.password),
        hashing_algorithm: 'rabbit_password_hashing_sha256',
        tags: ['administrator'],
      },
    ],
    vhosts: vhosts.map(name => ({name})),
    permissions: vhosts.map(vhost => ({user, vhost, configure: '.*', write: '.*', read: '.*'})),
  };
}

/** As RabbitMQ keeps it: four bytes of salt, and the SHA-256 of salt and password. */
function passwordHash(password: string): string {
  const salt = randomBytes(4);
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64');
}
