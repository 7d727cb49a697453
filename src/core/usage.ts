import type {Usage} from './ports.ts';

/**
 * Last uses of images, kept until the next flush: a write to the cluster for each clone would cost more than it tells. What a
 * dead agent had not flushed is lost, and makes a copy look a little older than it is.
 */
export class UsageLog {
  readonly #pending = new Map<string, number>();

  touch(imageId: string, now = Date.now()): void {
    this.#pending.set(imageId, now);
  }

  /** What is written down, with what is not yet. */
  merge(written: ReadonlyMap<string, number>): Map<string, number> {
    const merged = new Map(written);
    for (const [image, at] of this.#pending) merged.set(image, Math.max(at, merged.get(image) ?? 0));
    return merged;
  }

  /** Writes what has gathered. What could not be written is kept for the next time. */
  async flush(usage: Usage, signal: AbortSignal): Promise<void> {
    if (this.#pending.size === 0) return;
    const batch = new Map(this.#pending);
    await usage.touch(batch, signal);
    for (const [image, at] of batch) if (this.#pending.get(image) === at) this.#pending.delete(image);
  }
}
