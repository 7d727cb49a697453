import {type Got, type Inspection, maxRead, type Want} from './inspection.ts';

/** The longest end of a file that an inspection may ask for: a VMDK's footer with both its markers. */
export const tailLength = 1536;

/**
 * Runs one inspection over a stream. What the inspection sees does not depend on how the stream is cut: a read is answered
 * at the very byte that completes it, and the next one is noted before the byte after that is looked at.
 */
export class Feed {
  readonly #inspection: Inspection;
  #want: Want | undefined;
  #buffer: Buffer | undefined;
  #filled = 0;
  /** End of the last read that was answered. */
  #seen = 0;

  constructor(inspection: Inspection) {
    this.#inspection = inspection;
    const first = inspection.next();
    this.#want = first.done === true ? undefined : first.value;
  }

  /** It is done, or waits for nothing but the end of the file. */
  get settled(): boolean {
    return this.#want === undefined || 'last' in this.#want;
  }

  /** Bytes it holds. */
  get held(): number {
    return this.#buffer?.length ?? 0;
  }

  /** `position`: the chunk's offset in the file. */
  push(chunk: Uint8Array, position: number): void {
    while (this.#want !== undefined && 'offset' in this.#want) {
      const {offset} = this.#want;
      const length = Math.min(this.#want.length, maxRead);
      if (length <= 0 || offset < this.#seen) {
        this.#resume({bytes: Buffer.alloc(0), total: this.#seen});
        continue;
      }
      const start = offset + this.#filled - position;
      if (start >= chunk.length) return;
      this.#buffer ??= Buffer.allocUnsafeSlow(length); // not before its bytes come: a far offset costs nothing
      const part = chunk.subarray(start, start + length - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      if (this.#filled < length) return;
      this.#seen = offset + length;
      this.#resume({bytes: this.#buffer, total: this.#seen});
    }
  }

  /** The stream has ended: what is still asked for is answered with what there is. */
  finish(total: number, tail: Buffer): void {
    while (this.#want !== undefined) {
      if ('last' in this.#want) {
        const last = Math.min(this.#want.last, tail.length);
        this.#resume({bytes: tail.subarray(tail.length - last), total});
      } else {
        const bytes = this.#buffer?.subarray(0, this.#filled) ?? Buffer.alloc(0);
        this.#seen = Number.POSITIVE_INFINITY; // nothing comes after the end
        this.#resume({bytes, total});
      }
    }
  }

  #resume(got: Got): void {
    this.#buffer = undefined;
    this.#filled = 0;
    const next = this.#inspection.next(got);
    this.#want = next.done === true ? undefined : next.value;
  }
}

/** Keeps the last bytes of a stream. Twice their room, so that a stream of single bytes does not move them each time. */
export class Tail {
  readonly #room = Buffer.alloc(2 * tailLength);
  #used = 0;

  /** Bytes it holds, used or not. */
  get room(): number {
    return this.#room.length;
  }

  push(chunk: Uint8Array): void {
    const data = chunk.length > tailLength ? chunk.subarray(chunk.length - tailLength) : chunk;
    if (this.#used + data.length > this.#room.length) {
      this.#room.copyWithin(0, this.#used - tailLength, this.#used);
      this.#used = tailLength;
    }
    this.#room.set(data, this.#used);
    this.#used += data.length;
  }

  /** At most `tailLength` bytes. */
  get bytes(): Buffer {
    return this.#room.subarray(Math.max(0, this.#used - tailLength), this.#used);
  }
}
