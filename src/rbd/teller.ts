/** Sends the bytes to all who watch. Settles when they have them, or its deadline is over. */
export type Notify = (news: Buffer) => Promise<unknown>;

/** ms between two notifies, at least. */
const pace = 500;

/**
 * Tells the newest news, and only that: one notify at a time, and not often. A watcher that is dead holds up the next notify until
 * the deadline of this one, and nobody else: the others have it at once, and who tells does not wait.
 */
export class Teller {
  readonly #notify: Notify;
  #news: Buffer | undefined;
  #untold = false;
  #telling = false;
  #last = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(notify: Notify) {
    this.#notify = notify;
  }

  tell(news: string): void {
    this.#news = Buffer.from(news);
    this.#go();
  }

  /** Tells the last news again, for those who came late. */
  repeat(): void {
    this.#go();
  }

  /** Nothing is told any more. */
  end(): void {
    clearTimeout(this.#timer);
    this.#news = undefined;
  }

  #go(): void {
    if (this.#news === undefined) return;
    this.#untold = true;
    if (this.#telling || this.#timer !== undefined) return;
    const wait = this.#last + pace - performance.now();
    if (wait <= 0) return void this.#send(this.#news);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#news !== undefined) void this.#send(this.#news);
    }, wait);
  }

  async #send(news: Buffer): Promise<void> {
    this.#untold = false;
    this.#telling = true;
    this.#last = performance.now();
    await this.#notify(news).catch(() => {}); // nobody heard it: they look by themselves
    this.#telling = false;
    if (this.#untold) this.#go();
  }
}
