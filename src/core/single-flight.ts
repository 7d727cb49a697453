import {quietly} from './quietly.ts';

/** What a flight is given: a signal that aborts when nobody waits any more, and a way to tell those who wait. */
export type Flight<P> = {signal: AbortSignal; report: (progress: P) => void};

type Entry<V, P> = {
  result: Promise<V>;
  abort: AbortController;
  listeners: Map<symbol, ((progress: P) => void) | undefined>;
  last: P | undefined;
};

/**
 * One piece of work per key, shared by all who ask while it runs. A caller that aborts leaves at once; the last one to
 * leave aborts the work and waits until it has cleaned up, so that a stopped agent has nothing running. A caller that
 * comes while an abandoned flight is cleaning up waits for it and starts anew.
 */
export class SingleFlight<V, P = never> {
  readonly #flights = new Map<string, Entry<V, P>>();

  /** The keys in flight with their last progress. */
  get running(): {key: string; progress: P | undefined}[] {
    return [...this.#flights].map(([key, {last}]) => ({key, progress: last}));
  }

  /** Ends every flight, for the reason given; those who wait get it. */
  abandon(reason: unknown): void {
    for (const {abort} of this.#flights.values()) abort.abort(reason);
  }

  /** Resolves when no flight is in the air. */
  async idle(): Promise<void> {
    while (this.#flights.size > 0) await Promise.allSettled([...this.#flights.values()].map(({result}) => result));
  }

  async run(
    key: string,
    start: (flight: Flight<P>) => Promise<V>,
    {signal, onProgress}: {signal: AbortSignal; onProgress?: ((progress: P) => void) | undefined},
  ): Promise<{value: V; leader: boolean}> {
    signal.throwIfAborted();
    let entry = this.#flights.get(key);
    while (entry?.abort.signal.aborted) {
      await abortable(
        entry.result.catch(() => {}),
        signal,
      );
      entry = this.#flights.get(key);
    }
    const leader = entry === undefined;
    entry ??= this.#takeOff(key, start);
    return {value: await this.#wait(entry, signal, onProgress), leader};
  }

  #takeOff(key: string, start: (flight: Flight<P>) => Promise<V>): Entry<V, P> {
    const abort = new AbortController();
    const entry: Entry<V, P> = {
      result: Promise.resolve() as Promise<never>,
      abort,
      listeners: new Map(),
      last: undefined,
    };
    const report = (progress: P) => {
      entry.last = progress;
      for (const listener of entry.listeners.values()) quietly(listener)(progress);
    };
    entry.result = start({signal: abort.signal, report}).finally(() => this.#flights.delete(key));
    entry.result.catch(() => {}); // everybody may have left: their loss is not an unhandled rejection
    this.#flights.set(key, entry);
    return entry;
  }

  async #wait(entry: Entry<V, P>, signal: AbortSignal, onProgress: ((progress: P) => void) | undefined): Promise<V> {
    const me = Symbol();
    entry.listeners.set(me, onProgress);
    if (entry.last !== undefined) quietly(onProgress)(entry.last);
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(signal.reason);
    signal.addEventListener('abort', leave, {once: true});
    if (signal.aborted) leave();
    try {
      return await Promise.race([entry.result, left.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      entry.listeners.delete(me);
      if (entry.listeners.size === 0 && signal.aborted) {
        entry.abort.abort(signal.reason);
        await entry.result.catch(() => {});
      }
    }
  }
}

/** One at a time per key, in order of arrival. */
export class Turns {
  readonly #tails = new Map<string, Promise<void>>();

  /** Has somebody this turn, or waits for it? */
  isTaken(key: string): boolean {
    return this.#tails.has(key);
  }

  /** `waited`: others had their turn since this was called. */
  async take<V>(key: string, signal: AbortSignal, work: (waited: boolean) => Promise<V>): Promise<V> {
    const last = this.#tails.get(key);
    const before = last ?? Promise.resolve();
    const {promise: mine, resolve: done} = Promise.withResolvers<void>();
    const tail = before.then(() => mine);
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key); // not sooner: who gave up waiting leaves others running
    });
    try {
      await abortable(before, signal);
      return await work(last !== undefined);
    } finally {
      done();
    }
  }
}

/** The promise, or the signal's reason, whichever is first. A failure that comes after that is nobody's. */
export async function abortable<V>(promise: Promise<V>, signal: AbortSignal): Promise<V> {
  promise.catch(() => {}); // one that nobody waits for would end the process
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, {once: true});
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
