/** A real cellar-agent in a process of its own, for tests and the demo. */
import {type ChildProcess, execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';

const program = (name: string) => fileURLToPath(new URL(`../../src/${name}/main.ts`, import.meta.url));

export type AgentProcess = AsyncDisposable & {
  readonly pid: number;
  /** Its log so far, a parsed line each. */
  readonly log: Record<string, unknown>[];
  /** The log as it was written, and stderr: for searching it for secrets. */
  readonly text: string;
  /** SIGTERM; resolves the exit code, or the signal that ended it. */
  stop(): Promise<number | string>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Resolves with the first line, from the beginning of the log, that `wanted` is true for. */
  waitForLog(wanted: (line: Record<string, unknown>) => boolean, timeoutMs?: number): Promise<Record<string, unknown>>;
};

/** Starts it and waits until its socket answers. Disposing of it kills it. */
export const startAgent = (configFiles: string[], env: Record<string, string> = {}) =>
  start('daemon', configFiles, env);

/** The same of cellar-registrar. */
export const startRegistrarProcess = (configFiles: string[]) => start('registrar', configFiles, {});

async function start(name: string, configFiles: string[], env: Record<string, string>): Promise<AgentProcess> {
  const args = configFiles.map(file => `--config-file=${file}`);
  const child = spawn(process.execPath, [program(name), ...args], {
    env: {...process.env, ...env},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: Record<string, unknown>[] = [];
  const listeners = new Set<() => void>();
  let text = '';
  createInterface({input: child.stdout as NodeJS.ReadableStream}).on('line', line => {
    text += `${line}\n`;
    if (line.startsWith('{')) log.push(JSON.parse(line));
    for (const listener of listeners) listener();
  });
  child.stderr?.on('data', chunk => {
    text += chunk;
  });
  let closed = false;
  const ended = once(child, 'close').then(([code, signal]) => {
    closed = true;
    for (const listener of listeners) listener();
    return (code ?? signal) as number | string;
  });
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };

  const waitForLog: AgentProcess['waitForLog'] = (wanted, timeoutMs = 60_000) =>
    new Promise((resolve, reject) => {
      const done = (act: () => void) => {
        listeners.delete(look);
        clearTimeout(timer);
        act();
      };
      const look = () => {
        const line = log.find(wanted);
        if (line !== undefined) done(() => resolve(line));
        else if (closed) done(() => reject(new Error(`the agent ended:\n${text}`)));
      };
      const timer = setTimeout(
        () => done(() => reject(new Error(`not in the agent's log within ${timeoutMs} ms:\n${text}`))),
        timeoutMs,
      );
      listeners.add(look);
      look();
    });

  await waitForLog(line => String(line['msg']).endsWith('is ready'), 30_000);
  return {
    pid: pidOf(child),
    log,
    get text() {
      return text;
    },
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
    waitForLog,
    [Symbol.asyncDispose]: async () => void (await end('SIGKILL')),
  };
}

function pidOf({pid}: ChildProcess): number {
  if (pid === undefined) throw new Error('the agent could not be started');
  return pid;
}

export type CliResult = {code: number; stdout: string; stderr: string};

/** Runs `cellar ARGS` to its end. Never rejects for an exit code. */
export function cellar(args: string[], env: Record<string, string> = {}): Promise<CliResult> {
  return new Promise(resolve => {
    execFile(
      process.execPath,
      [program('cli'), ...args],
      {env: {...process.env, ...env}, maxBuffer: 16 << 20},
      (error, stdout, stderr) => {
        resolve({code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr});
      },
    );
  });
}
