/** Debian's Python, whose fasteners and oslo.concurrency are what Nova locks with. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import type {ExecutionContext} from 'ava';

export type Python = {
  /** The next line that it prints; undefined after the last one. */
  line(): Promise<string | undefined>;
  /** Ends what it waits for on stdin. */
  goOn(): void;
  /** Its exit code and what it said on stderr. */
  ended: Promise<{code: number | null; stderr: string}>;
};

export function python(t: ExecutionContext, program: string, ...args: string[]): Python {
  // not as arguments: a file that is named in a command line is in use
  const env = {...process.env, ARGUMENTS: args.join('\n')};
  const child = spawn('/usr/bin/python3', ['-c', program], {stdio: ['pipe', 'pipe', 'pipe'], env});
  t.teardown(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  return {
    line: async () => {
      const {value, done} = await lines.next();
      return done ? undefined : value;
    },
    goOn: () => child.stdin.end(),
    ended: once(child, 'close').then(([code]) => ({code: code as number | null, stderr})),
  };
}
