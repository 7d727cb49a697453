/**
 * Keeps at most `limit` operations in flight and remembers the first failure: the bound on a fill's memory.
 * `add` waits for room and then starts the operation; it throws what an earlier one failed with. `drain` waits for all.
 */
export class Window {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: {error: unknown} | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async add(operation: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    this.#rethrow();
    const running: Promise<void> = operation()
      .catch((error: unknown) => {
        this.#failure ??= {error};
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits for every operation, then throws the first failure, if any. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
    this.#rethrow();
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
