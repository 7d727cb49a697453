/** A RabbitMQ of a test's own, and a real oslo.messaging RPC server on it. */
import {type ChildProcess, execFile, spawn} from 'node:child_process';
import {appendFileSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {promisify} from 'node:util';
import {recordedDaemon} from '../lab/daemon.ts';
import {makeRabbit, startRabbit, stopRabbit} from '../lab/nova/rabbit.ts';
import {type NovaState, novaPorts, planNova} from '../lab/nova/state.ts';
import {reservePorts} from '../lab/ports.ts';

/** All that tests use as passwords begins with this: no error may hold it. */
export const password = 's3cr3t-of-rabbit';

export type Rabbit = AsyncDisposable & {
  /** transport_url of the virtual host cell1. */
  url: string;
  port: number;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** To all of its processes. */
  signal(signal: NodeJS.Signals): void;
  /** rabbitmqctl; what it printed. */
  ctl(...args: string[]): Promise<string>;
};

/** `config`: more lines for its rabbitmq.conf, given its directory. It ends with this process. */
export async function privateRabbit(config: (port: number) => string = () => ''): Promise<Rabbit> {
  const base = mkdtempSync(join(tmpdir(), 'cellar-rabbit-'));
  const ports = await reservePorts({});
  const nova: NovaState = planNova({base, port: ports.first, password, cells: 1});
  const options = {ports: novaPorts(ports.first), tied: true};
  makeRabbit(nova, options);
  const dir = join(nova.dir, 'rabbit');
  appendFileSync(join(dir, 'rabbit.conf'), config(ports.first));
  await startRabbit(nova, options);
  return {
    url: nova.cells[0]?.transportUrl ?? '',
    port: options.ports.rabbit,
    stop: () => stopRabbit(nova),
    start: () => startRabbit(nova, options),
    signal(signal) {
      const daemon = recordedDaemon(nova.dir, 'rabbitmq');
      for (const pid of daemon ? below(daemon.pid) : []) process.kill(pid, signal);
    },
    async ctl(...args) {
      const env = {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: dir,
        ERL_EPMD_PORT: String(options.ports.epmd),
        RABBITMQ_NODENAME: 'cellar@localhost',
        RABBITMQ_CONFIG_FILE: join(dir, 'rabbit.conf'),
        RABBITMQ_LOG_BASE: join(dir, 'log'),
        RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
      };
      return (await promisify(execFile)('/usr/lib/rabbitmq/bin/rabbitmqctl', ['-q', ...args], {env})).stdout;
    },
    async [Symbol.asyncDispose]() {
      await stopRabbit(nova);
      await ports.release();
      rmSync(base, {recursive: true, force: true, maxRetries: 3});
    },
  };
}

/** All descendants of a process. */
function below(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.flatMap(child => [child, ...below(child)]);
}

export type RpcServer = AsyncDisposable & {
  /** Lines that it has printed: `ran NAME` for each procedure that began. */
  lines: string[];
  /** The lines, as soon as there are so many like this. */
  printed(line: string, count?: number): Promise<void>;
  process: ChildProcess;
};

/** Serves topic `conductor` of exchange `nova` with the procedures of rpc_server.py; resolves when it listens. */
export async function rpcServer(url: string, ...args: string[]): Promise<RpcServer> {
  const script = new URL('rpc_server.py', import.meta.url).pathname;
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', '/usr/bin/python3', script, url, ...args], {
    env: {PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8'},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = new Promise<void>(resolve => child.on('exit', () => resolve()));
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  createInterface({input: child.stdout}).on('line', line => {
    lines.push(line);
    for (const watcher of watchers) watcher();
  });
  const server: RpcServer = {
    lines,
    process: child,
    async printed(line, count = 1) {
      const enough = () => lines.filter(one => one === line).length >= count;
      while (!enough()) {
        const {promise, resolve} = Promise.withResolvers<void>();
        watchers.add(resolve);
        await Promise.race([promise, exit]);
        watchers.delete(resolve);
        if (!enough() && (child.exitCode !== null || child.signalCode !== null))
          throw new Error('the RPC server has ended');
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exit;
    },
  };
  await server.printed('listening');
  return server;
}
