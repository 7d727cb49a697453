/** Runs `cellar` as a child process, and sees to it that no token is ever in what it prints. */
import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import {secret} from '../api/fake-agent.ts';

export const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export type Run = {code: number | null; stdout: string; stderr: string};
export type RunOptions = {
  env?: Record<string, string>;
  stdin?: string;
  /** stdin stays open, for `meanwhile` to type. */
  open?: boolean;
  uid?: number;
  /** Given the child while it runs. */
  meanwhile?: (child: ChildProcessWithoutNullStreams) => void;
};

export const cellar = (args: readonly string[], options: RunOptions = {}): Promise<Run> =>
  run(process.execPath, [main, ...args], options);

/** The same on a pseudo-terminal of 100 columns: stdout and stderr come as one, in `stdout`. `tail` goes to the shell. */
export const cellarOnTerminal = (args: readonly string[], options: RunOptions = {}, tail = ''): Promise<Run> =>
  run('script', ['-qec', `stty cols 100; ${quoted(args)} ${tail}`, '/dev/null'], options);

/** The same as the first command of a group, `{ cellar …`, that the tail goes on with and ends. */
export const cellarInShell = (args: readonly string[], tail: string): Promise<Run> =>
  run('sh', ['-c', `{ ${quoted(args)} ${tail}`], {});

const quoted = (args: readonly string[]): string =>
  [process.execPath, main, ...args].map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ');

/** Tests of a file start all at once: more processes than processors would only make each of them look slow. */
const room = {free: 3, waiting: [] as (() => void)[]};

async function run(...args: Parameters<typeof runOne>): Promise<Run> {
  if (room.free === 0) await new Promise<void>(resolve => room.waiting.push(resolve));
  else room.free -= 1;
  try {
    return await runOne(...args);
  } finally {
    const next = room.waiting.shift();
    if (next === undefined) room.free += 1;
    else next();
  }
}

/** Halves the time that a start takes. */
const compileCache = join(tmpdir(), 'cellar-test-compile-cache');

async function runOne(
  command: string,
  args: string[],
  {env = {}, stdin = '', open = false, uid, meanwhile}: RunOptions,
): Promise<Run> {
  const child = spawn(command, args, {
    // Nothing of the developer's own: no token, no colours, no files in the home directory.
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: '/nonexistent',
      TERM: 'xterm',
      NODE_COMPILE_CACHE: compileCache,
      ...env,
    },
    ...(uid !== undefined && {uid, gid: uid}),
  });
  child.stdin.on('error', () => {});
  if (!open) child.stdin.end(stdin);
  meanwhile?.(child);
  const closed = new Promise<number | null>(resolve => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  if ((stdout + stderr).includes(secret))
    throw new Error(`the token was printed: ${stdout}${stderr}`.replaceAll(secret, '<token>'));
  return {code, stdout, stderr};
}
