import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';

/** A value as both sides write it for comparing. */
export type Encoded =
  | null
  | boolean
  | string
  | {int: string}
  | {float: string}
  | Encoded[]
  | {dict: [string, Encoded][]}
  | {error: string};

export type Answer = {load: string} | {values: Record<string, Encoded>};

export type OsloCase = {
  table: string;
  argv: string[];
  env: Record<string, string>;
  /** Look for the usual files too. */
  usual?: boolean;
  /** As a user without rights, when the tests run as root. */
  unprivileged?: boolean;
};

/** The real oslo.config, in a Python process that lives as long as the test. */
export class Oslo {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  #errors = '';

  constructor(more: Record<string, string> = {}) {
    const env = {PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', ...more};
    this.#child = spawn('/usr/bin/python3', [new URL('oslo_driver.py', import.meta.url).pathname], {env});
    this.#child.stderr.on('data', (data: Buffer) => {
      this.#errors += data.toString();
    });
    this.#child.on('error', error => {
      this.#errors += error.message;
    });
    // A write to a process that has gone is told by the missing answer.
    this.#child.stdin.on('error', () => {});
    this.#answers = createInterface({input: this.#child.stdout})[Symbol.asyncIterator]();
  }

  async define(table: string, options: readonly object[]): Promise<void> {
    await this.#ask({table, options});
  }

  async read(request: OsloCase): Promise<Answer> {
    return (await this.#ask({case: request})) as Answer;
  }

  async stop(): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.pid !== undefined && this.#child.exitCode === null) await once(this.#child, 'exit');
  }

  async #ask(request: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const {value, done} = await this.#answers.next();
    if (done === true) {
      throw new Error(`oslo.config did not answer: ${this.#errors.trim()}\napt-get install python3-oslo.config`);
    }
    return JSON.parse(value) as unknown;
  }
}
