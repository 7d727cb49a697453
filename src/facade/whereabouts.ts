import {abortable} from '../core/single-flight.ts';

/** ms that a request waits to be told anew where Glance is, when that is known from before. */
const patience = 1000;

/** ms that what was known is believed after nobody has told it anew. */
const believed = 10_000;

/** Where Glance is. While Keystone is down, or hangs, it is where it was: who only wants to get there does not wait for Keystone. */
export class Whereabouts {
  readonly #ask: (signal: AbortSignal) => Promise<string[]>;
  readonly #closed = new AbortController();
  readonly #now: () => number;
  #asking: Promise<string[]> | undefined;
  #known: string[] = [];
  #believedUntil = Number.NEGATIVE_INFINITY;

  constructor(ask: (signal: AbortSignal) => Promise<string[]>, now: () => number = () => performance.now()) {
    this.#ask = ask;
    this.#now = now;
  }

  /** Fails as the question does, as long as it was never answered. */
  async list(signal: AbortSignal): Promise<string[]> {
    if (this.#now() < this.#believedUntil) return this.#known;
    const asked = this.#askOnce();
    if (this.#known.length === 0) return abortable(asked, signal);
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), patience);
    try {
      return await abortable(asked, AbortSignal.any([signal, over.signal]));
    } catch (error) {
      if (signal.aborted) throw error;
      this.#believedUntil = this.#now() + believed;
      return this.#known;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#closed.abort();
  }

  /** All that wait share the question, and it goes on for the next one when they have left: its time is bounded by who is asked. */
  #askOnce(): Promise<string[]> {
    this.#asking ??= this.#ask(this.#closed.signal)
      .then(servers => {
        this.#believedUntil = Number.NEGATIVE_INFINITY;
        this.#known = [...servers];
        return this.#known;
      })
      .finally(() => {
        this.#asking = undefined;
      });
    this.#asking.catch(() => {});
    return this.#asking;
  }
}
