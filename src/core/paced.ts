import {quietly} from './quietly.ts';

/** ms between two reports. */
const pace = 100;

/**
 * Passes numbers on at most every 100 ms: the first at once, and of those that come too soon the newest when the time is over, so
 * that what was passed on last is never old. `flush` passes on what is left. Nothing is passed on once it is disposed of.
 */
export class Paced implements Disposable {
  readonly #report: (value: number) => void;
  #waiting: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(report: (value: number) => void) {
    this.#report = quietly(report);
  }

  push(value: number): void {
    this.#waiting = value;
    if (this.#timer === undefined) this.#pass();
  }

  flush(): void {
    this[Symbol.dispose]();
    if (this.#waiting !== undefined) this.#report(this.#waiting);
    this.#waiting = undefined;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #pass(): void {
    if (this.#waiting === undefined) return;
    this.#report(this.#waiting);
    this.#waiting = undefined;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pass();
    }, pace);
  }
}
