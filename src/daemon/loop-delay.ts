import {monitorEventLoopDelay} from 'node:perf_hooks';

/** ms between two looks at the clock. */
const resolution = 10;

/** Ten seconds each: a short burst is not lost among idle seconds. */
const window = 10_000;
const windows = 6;

/** Milliseconds. */
export type Delay = {p99Ms: number; maxMs: number};

/**
 * How late the event loop was: everything that the agent does but for the addon's and libuv's threads waits so long. Of the last
 * minute the worst ten seconds are told: their 99th percentile, and the longest delay.
 */
export class LoopDelay implements Disposable {
  readonly #histogram = monitorEventLoopDelay({resolution});
  readonly #past: Delay[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#turn(), window).unref();
  }

  get worst(): Delay {
    const all = [...this.#past, this.#now()];
    return {p99Ms: Math.max(...all.map(({p99Ms}) => p99Ms)), maxMs: Math.max(...all.map(({maxMs}) => maxMs))};
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  #turn(): void {
    this.#past.push(this.#now());
    if (this.#past.length >= windows) this.#past.shift();
    this.#histogram.reset();
  }

  #now(): Delay {
    if (this.#histogram.count === 0) return {p99Ms: 0, maxMs: 0};
    return {p99Ms: late(this.#histogram.percentile(99)), maxMs: late(this.#histogram.max)};
  }
}

/** The histogram holds the time between two looks, in nanoseconds. */
const late = (nanoseconds: number): number => Math.max(0, Math.round(nanoseconds / 1e4 - resolution * 100) / 100);
