/** A screen that is drawn anew until a key ends it; what was on the terminal before is there again afterwards. */

import type {Readable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import type {Session} from './session.ts';
import {harmless} from './table.ts';

const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const restOfLine = '\x1b[K';
const restOfScreen = '\x1b[J';

type Keyboard = Readable & {isTTY?: boolean; setRawMode?(raw: boolean): void; unref?(): void};

/** `q`; and Ctrl-C and Ctrl-D, which a terminal in raw mode makes no signal of. */
const ends: readonly string[] = ['q', 'Q', '\u0003', '\u0004'];

export class Live implements AsyncDisposable {
  readonly #stdout: Session['stdout'];
  readonly #stdin: Keyboard;
  readonly #signal: AbortSignal;
  readonly #left = new AbortController();

  constructor({stdout, stdin, signal}: Session) {
    this.#stdout = stdout;
    this.#stdin = stdin;
    this.#signal = AbortSignal.any([signal, this.#left.signal]);
    stdout.write(enter);
    if (this.#stdin.isTTY) this.#stdin.setRawMode?.(true);
    stdin.on('data', this.#onKey);
  }

  /** Draws, waits so many ms, and again. Resolves when a key or a signal has ended it; fails when `draw` does. */
  async run(pause: number, draw: (signal: AbortSignal) => Promise<string>): Promise<void> {
    const signal = this.#signal;
    try {
      for (;;) {
        this.#show(await draw(signal));
        await sleep(pause, undefined, {signal});
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stdin.off('data', this.#onKey);
    if (this.#stdin.isTTY) this.#stdin.setRawMode?.(false);
    this.#stdin.pause();
    this.#stdin.unref?.();
    this.#stdout.write(leave);
  }

  readonly #onKey = (typed: Buffer) => {
    if (ends.some(key => typed.includes(key))) this.#left.abort();
  };

  /** No more lines and columns than there are: a line that wraps would push the others away. */
  #show(text: string): void {
    const {columns, rows} = this.#stdout as {columns?: number; rows?: number};
    const lines = harmless(text)
      .split('\n')
      .slice(0, (rows || 24) - 1);
    const drawn = lines.map(line => `${line.slice(0, columns || 80)}${restOfLine}`).join('\r\n');
    this.#stdout.write(`${home}${drawn}${restOfScreen}`);
  }
}
