import {spawn} from 'node:child_process';
import {CellarError} from '../core/errors.ts';
import type {QemuLimits} from './limits.ts';

const maxOutput = 1024 * 1024;
const maxErrors = 4096;

export type QemuResult = {
  /** Exit status, or null when a signal ended it. */
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  /** The last it said, for people. */
  stderr: string;
  /** In words, when it did not end by itself: a limit was reached or it crashed. */
  died: string | undefined;
};

export type RunOptions = {
  limits: QemuLimits;
  signal: AbortSignal;
  onOutput?: ((text: string) => void) | undefined;
};

/**
 * Runs qemu-img under limits and waits until it is gone, whatever happens; should the agent be killed, so is it. Exit statuses are the caller's to judge. An abort
 * kills it and fails with the abort's reason; that it cannot be started fails with `config`. Its environment is empty: no
 * CEPH_ARGS, no language but C, and few malloc arenas, so that the limit of memory means the same on a host of 200 cores.
 */
export async function qemuImg(args: string[], {limits, signal, onOutput}: RunOptions): Promise<QemuResult> {
  signal.throwIfAborted();
  const {addressSpace, cpuSeconds, timeout, niceness} = limits;
  const command = [
    ...['--pdeathsig', 'KILL', '--no-new-privs', '--'], // nobody waits for what an agent that was killed left behind
    'prlimit',
    `--as=${addressSpace}`,
    `--cpu=${cpuSeconds}:${cpuSeconds + 5}`,
    '--core=0',
    '--fsize=0', // it writes to pipes and to Ceph: no file of this host grows by it
    ...['nice', '-n', String(niceness), 'qemu-img', ...args],
  ];
  const env = {PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', MALLOC_ARENA_MAX: '4'};
  const child = spawn('setpriv', command, {env, stdio: ['ignore', 'pipe', 'pipe']});
  const out: string[] = [];
  let length = 0;
  let stderr = '';
  let timedOut = false;
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    onOutput?.(text);
    length += text.length;
    if (length <= maxOutput) out.push(text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-maxErrors);
  });

  const kill = () => child.kill('SIGKILL');
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeout);
  signal.addEventListener('abort', kill, {once: true});
  try {
    const [status, endedBy] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...end) => resolve(end));
    });
    signal.throwIfAborted();
    if (status === 127 || (status === 1 && /^(setpriv|prlimit|nice): /.test(stderr))) throw notInstalled(stderr);
    const died = timedOut ? `it ran for more than ${timeout / 1000} s` : whyDied(endedBy, cpuSeconds);
    return {status, signal: endedBy, stdout: out.join(''), stderr: stderr.trim(), died};
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw notInstalled('setpriv is not there');
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}

function whyDied(signal: NodeJS.Signals | null, cpuSeconds: number): string | undefined {
  if (signal === null) return undefined;
  if (signal === 'SIGXCPU') return `it used more than ${cpuSeconds} s of CPU time`;
  if (signal === 'SIGABRT' || signal === 'SIGTRAP') return 'it needed more memory than its limit, or crashed';
  return `it was ended by ${signal}`;
}

const notInstalled = (said: string) =>
  new CellarError('config', `qemu-img could not be started: ${said.trim() || 'not found'}`, {
    hint: 'install qemu-utils, qemu-block-extra and util-linux on this host',
  });
