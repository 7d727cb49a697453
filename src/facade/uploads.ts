/** An upload is asked after for so long, in ms: Nova looks at its new image within a second. */
const remembered = 60_000;
const most = 1000;

/**
 * Images whose data went through here a moment ago. Whoever uploads a snapshot looks at it afterwards; that is no reason to
 * make a copy of it.
 */
export class Uploads {
  readonly #ends = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** When Glance has taken it. Before that the image is not active, and nothing is offered for it anyway. */
  note(imageId: string): void {
    const key = imageId.toLowerCase();
    this.#ends.delete(key); // so that it becomes the youngest
    this.#ends.set(key, this.#now() + remembered);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > most && oldest !== undefined) this.#ends.delete(oldest);
  }

  has(imageId: string): boolean {
    return (this.#ends.get(imageId.toLowerCase()) ?? Number.NEGATIVE_INFINITY) > this.#now();
  }
}
