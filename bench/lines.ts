/** A helper process that is asked things over its stdin, one line of JSON each way: its start is not part of what it measures. */
import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {tail} from '../test/lab/run.ts';

export type Helper = AsyncDisposable & {
  /** Asks and waits. Rejects with the helper's own words, or when it has ended. One question at a time, in order. */
  ask<Answer>(question: {call: string} & Record<string, unknown>): Promise<Answer>;
};

type Waiting = {resolve: (answer: unknown) => void; reject: (error: Error) => void};

/** Starts it. It must end when its stdin does: so it is gone when we are, however that happens. */
export function startHelper(name: string, command: string[], env: Record<string, string>): Helper {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {env, stdio: ['pipe', 'pipe', 'pipe']});
  const waiting: Waiting[] = [];
  let errors = '';
  let over: Error | undefined;
  child.stderr.setEncoding('utf8').on('data', text => {
    errors = tail(errors + text, 40);
  });
  child.stdin.on('error', () => undefined); // its end is told below
  const ended = new Promise<void>(resolve => {
    child.on('error', error => end(`cannot be started: ${error.message}`));
    child.on('close', (code, signal) => end(`ended (${code ?? signal}):\n${errors}`));
    function end(how: string) {
      over ??= new Error(`${name} ${how}`);
      for (const {reject} of waiting.splice(0)) reject(over);
      resolve();
    }
  });
  createInterface({input: child.stdout}).on('line', line => {
    const {error, ...answer} = JSON.parse(line) as {error?: string};
    const {resolve, reject} = waiting.shift() ?? {resolve() {}, reject() {}};
    if (error === undefined) resolve(answer);
    else reject(new Error(`${name}: ${error}`));
  });

  return {
    ask: question =>
      new Promise((resolve, reject) => {
        if (over !== undefined) return reject(over);
        waiting.push({resolve: resolve as Waiting['resolve'], reject});
        child.stdin.write(`${JSON.stringify(question)}\n`);
      }),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(timer);
    },
  };
}
