/** Child processes of the check: none outlives it, however it ends. */
import {spawn} from 'node:child_process';

/**
 * Starts a command in a process group of its own, so that all of it can be ended; the kernel kills it when we die, even
 * by SIGKILL. Its stdin is closed, its stdout and stderr are pipes.
 */
export function start(command, args, {env = {}} = {}) {
  const tied = ['--pdeathsig', 'KILL', '--', command, ...args];
  return spawn('setpriv', tied, {detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, ...env}});
}

/** Waits for its end and resolves whether it succeeded. An abort ends its group: TERM, and 5 s later KILL. */
export async function finished(child, signal) {
  const kill = name => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // it has ended by itself
    }
  };
  let timer;
  const onAbort = () => {
    kill('SIGTERM');
    timer = setTimeout(kill, 5000, 'SIGKILL');
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  try {
    const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
    kill('SIGKILL'); // what a test may have left in its group
    return code === 0;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
