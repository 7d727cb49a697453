/**
 * Daemons of the lab. Each is described by a file `<dir>/run/<name>.json` from the moment it starts, so that whoever
 * finds the directory can stop it, and nobody stops a stranger that got its pid later.
 */
import {spawn} from 'node:child_process';
import {closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {cleanEnv, halt, tail} from './run.ts';

export type Daemon = {name: string; dir: string; pid: number; started: string; namespace?: boolean};

export type DaemonOptions = {
  /** Files whose end tells why it failed, besides its stdout and stderr. */
  logs?: string[];
  env?: Record<string, string>;
  /** Dies with this process, even with one that is killed by SIGKILL. */
  tied?: boolean;
  /** The command is `unshare --fork`: signals are for the first process of its namespace, with which all others there end. */
  namespace?: boolean;
};

/** Starts a daemon in the foreground mode of its own, in a session of its own, its output in `<dir>/log/<name>.out`. */
export function startDaemon(dir: string, name: string, command: string[], options: DaemonOptions = {}): Daemon {
  halt.signal.throwIfAborted();
  mkdirSync(join(dir, 'run'), {recursive: true, mode: 0o700});
  mkdirSync(join(dir, 'log'), {recursive: true, mode: 0o700});
  const out = openSync(outFile(dir, name), 'a');
  const [program = '', ...args] = options.tied ? ['setpriv', '--pdeathsig', 'KILL', '--', ...command] : command;
  const env = {...cleanEnv(), ...options.env};
  const child = spawn(program, args, {cwd: dir, detached: true, stdio: ['ignore', out, out], env});
  closeSync(out);
  child.on('error', () => undefined); // reported below as a missing pid
  child.unref();
  if (child.pid === undefined)
    throw new Error(`${program} cannot be started: is its package installed? (npm run setup)`);
  const {logs = [], namespace = false} = options;
  const daemon = {name, dir, pid: child.pid, started: processStart(child.pid) ?? '', namespace};
  writeFileSync(recordFile(dir, name), JSON.stringify({pid: daemon.pid, started: daemon.started, logs, namespace}));
  return daemon;
}

/** The daemons recorded under the directory, running or not. */
export function recordedDaemons(dir: string): Daemon[] {
  const run = join(dir, 'run');
  if (!existsSync(run)) return [];
  const names = readdirSync(run).flatMap(file => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []));
  return names.flatMap(name => recordedDaemon(dir, name) ?? []);
}

export function recordedDaemon(dir: string, name: string): Daemon | undefined {
  try {
    const {pid, started, namespace} = JSON.parse(readFileSync(recordFile(dir, name), 'utf8'));
    return {name, dir, pid, started, namespace};
  } catch {
    return undefined;
  }
}

/** The same process, still running: a number that was used again has another start time. */
export function isAlive({pid, started}: Daemon): boolean {
  return started !== '' && processStart(pid) === started;
}

/** TERM, a while, KILL; comes back when it has ended. Its record goes last, so that a stop that is interrupted can be repeated. */
export async function stopDaemon(daemon: Daemon, graceMs = 5000): Promise<void> {
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', 10_000],
  ] as const) {
    if (!isAlive(daemon)) break;
    signalDaemon(daemon, 'SIGCONT'); // a stopped process would not see the TERM
    signalDaemon(daemon, signal);
    await ended(daemon, waitMs);
  }
  if (isAlive(daemon)) throw new Error(`${daemon.name} (pid ${daemon.pid}) does not end, not even by SIGKILL`);
  rmSync(recordFile(daemon.dir, daemon.name), {force: true});
}

export async function stopDaemons(dir: string): Promise<void> {
  await Promise.all(recordedDaemons(dir).map(daemon => stopDaemon(daemon)));
}

/** Ends whatever is recorded anywhere below the directory: clusters and labs that tests made there, and did not live to stop. */
export async function stopDaemonsBelow(dir: string): Promise<void> {
  if (!existsSync(dir)) return;
  const records = readdirSync(dir, {recursive: true, encoding: 'utf8'}).filter(file =>
    /(^|\/)run\/[^/]+\.json$/.test(file),
  );
  const dirs = new Set(records.map(file => join(dir, file, '..', '..')));
  await Promise.all([...dirs].map(each => stopDaemons(each)));
}

/** Signals it if it is still the process we started. After SIGSTOP it does nothing more: it is waited for (a few ms). */
export function signalDaemon(daemon: Daemon, signal: NodeJS.Signals): void {
  if (!isAlive(daemon)) return;
  try {
    process.kill(daemon.namespace ? firstChild(daemon.pid) : daemon.pid, signal);
    if (signal === 'SIGSTOP') while (isAlive(daemon) && !isStopped(daemon.pid)) pause(2);
  } catch (error) {
    if (!['ESRCH', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** `unshare --fork` has one child; before it has it, itself. */
function firstChild(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]) || pid;
}

/** Every thread of it: one that still runs may answer. */
function isStopped(pid: number): boolean {
  const stateOf = (task: string) => readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1').split(') ').at(-1)?.[0];
  return readdirSync(`/proc/${pid}/task`).every(task => stateOf(task) === 'T');
}

const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

export async function ended(daemon: Daemon, waitMs: number): Promise<boolean> {
  const deadline = performance.now() + waitMs;
  while (isAlive(daemon) && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, 20));
  return !isAlive(daemon);
}

/** Why it is not running, with the end of its logs; undefined while it runs. */
export function obituary(daemon: Daemon): string | undefined {
  if (isAlive(daemon)) return undefined;
  const {logs} = JSON.parse(readFileSync(recordFile(daemon.dir, daemon.name), 'utf8')) as {logs: string[]};
  return `${daemon.name} has ended\n${logTail([...logs, outFile(daemon.dir, daemon.name)])}`;
}

/** Does something that needs the daemon, and gives up as soon as it has ended. */
export async function whileAlive<T>(daemon: Daemon, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const death = new AbortController();
  const timer = setInterval(() => {
    const reason = obituary(daemon);
    if (reason !== undefined) death.abort(new Error(reason));
  }, 50);
  try {
    return await act(death.signal);
  } finally {
    clearInterval(timer);
  }
}

export function logTail(files: string[]): string {
  return files
    .flatMap(file => (existsSync(file) ? [`--- ${file}\n${tail(readFileSync(file, 'utf8'))}`] : []))
    .join('\n');
}

/** When the process started, in the kernel's ticks since boot: with the pid, its identity. A zombie counts as ended. */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before it may hold spaces
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

const recordFile = (dir: string, name: string) => join(dir, 'run', `${name}.json`);
const outFile = (dir: string, name: string) => join(dir, 'log', `${name}.out`);
