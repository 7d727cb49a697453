import {execFile} from 'node:child_process';

/** What a command of this host prints, or undefined when it is missing, fails, or takes longer than `timeout` ms. */
export function ask(command: string, args: string[], signal: AbortSignal, timeout = 5000): Promise<string | undefined> {
  const env = {PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C'};
  return new Promise(resolve => {
    execFile(command, args, {env, signal, timeout, killSignal: 'SIGKILL', maxBuffer: 1 << 20}, (error, stdout) => {
      resolve(error === null ? stdout.trim() : undefined);
    });
  });
}
