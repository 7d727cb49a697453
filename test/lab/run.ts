/** Short-lived commands of the lab: Ceph's and OpenStack's own tools, with a deadline and an error that shows what they said. */
import {execFile} from 'node:child_process';

/**
 * Aborted when the lab has to go: commands under way are killed, and nothing new is started, so that the clean-up that
 * follows finds everything there is.
 */
export const halt = new AbortController();

export type RunOptions = {timeoutMs?: number; env?: Record<string, string>; signal?: AbortSignal};

/** Runs a command to its end and resolves its stdout. The error of a failure holds the command's own words. */
export function run(
  command: string,
  args: string[],
  {timeoutMs = 120_000, env = {}, signal}: RunOptions = {},
): Promise<string> {
  const aborted = AbortSignal.any(signal ? [halt.signal, signal] : [halt.signal]);
  return new Promise((resolve, reject) => {
    const options = {
      signal: aborted,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: 64 << 20,
      env: {...cleanEnv(), ...env},
    } as const;
    execFile(command, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (aborted.aborted) return reject(aborted.reason);
      const how = error.killed ? `gave no answer in ${timeoutMs} ms` : `failed (${error.code ?? error.signal})`;
      reject(new Error(`${command} ${args.join(' ')}: ${how}\n${tail(`${stdout}${stderr}`)}`, {cause: error}));
    });
  });
}

/**
 * What every command and daemon of the lab gets for an environment. Debian's tools need Debian's python3, not one that
 * a version manager put first; and OS_*, CEPH_* or http_proxy of the caller's shell must not reach them.
 */
export function cleanEnv(): Record<string, string> {
  const kept = ['HOME', 'TMPDIR', 'USER'].flatMap(name => (process.env[name] ? [[name, process.env[name]]] : []));
  return {...Object.fromEntries(kept), PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8'};
}

/** The last lines of a text, for an error message. */
export function tail(text: string, lines = 20): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

export type WaitOptions = {timeoutMs?: number; everyMs?: number; stop?: () => string | undefined};

/** Asks `probe` until it does not throw. `stop` gives a reason to wait no longer, such as a daemon that has died. */
export async function waitFor<T>(what: string, probe: () => Promise<T>, options: WaitOptions = {}): Promise<T> {
  const {timeoutMs = 120_000, everyMs = 50, stop} = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    halt.signal.throwIfAborted();
    try {
      return await probe();
    } catch (error) {
      const reason = stop?.() ?? (performance.now() > deadline ? `not within ${timeoutMs / 1000} s` : undefined);
      if (reason !== undefined) throw new Error(`${what} did not come up: ${reason}`, {cause: error});
    }
    await new Promise(resolve => setTimeout(resolve, everyMs));
  }
}

/** Like Promise.all, but a failure waits for the others: nothing is being started any more when it is reported. */
export async function all<T extends readonly unknown[]>(
  promises: T,
): Promise<{-readonly [K in keyof T]: Awaited<T[K]>}> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
