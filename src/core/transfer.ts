import {Digests} from './digest.ts';
import {CellarError} from './errors.ts';
import type {ImageRecord} from './image.ts';
import type {CopyWriter, Download} from './ports.ts';
import {dataExtents} from './sparse.ts';
import {Window} from './window.ts';

export type Transferred = {digests: Record<string, string>; verified: boolean; written: number};

export type TransferOptions = {
  size: number;
  inFlight: number;
  signal: AbortSignal;
  onReceived: (bytes: number) => void;
};

/**
 * One pass over the image: hash what arrives, gather it into whole RADOS objects, write what is not zero, with `inFlight`
 * objects on their way at most. Ends when every write has been answered and length and hash are Glance's.
 * Memory: (inFlight + 1) objects, whatever the image's size. Fails with `corrupt` on a short, long or different body.
 */
export async function transfer(
  image: ImageRecord,
  {body}: Download,
  writer: CopyWriter,
  options: TransferOptions,
): Promise<Transferred> {
  const {size, inFlight, signal, onReceived} = options;
  const digests = new Digests(image);
  const objects = new Objects(writer, inFlight);
  for await (const chunk of body) {
    signal.throwIfAborted();
    digests.update(chunk);
    if (digests.received > size) throw wrongLength(image, `at least ${digests.received}`, size);
    await objects.append(chunk);
    onReceived(digests.received);
  }
  signal.throwIfAborted();
  if (digests.received !== size) throw wrongLength(image, String(digests.received), size);
  const proof = digests.finish(image);
  const written = await objects.finish();
  return {...proof, written};
}

const wrongLength = (image: ImageRecord, received: string, size: number) =>
  new CellarError('corrupt', `Glance sent ${received} bytes for image ${image.id}, its record says ${size}`, {
    hint: 'nothing was kept; try again, and look at the Glance store if it happens again',
    object: image.id,
  });

/** Gathers a stream into object-sized blocks and writes the data in them. A block's buffer is used again once its writes are done. */
class Objects {
  readonly #writer: CopyWriter;
  readonly #window: Window;
  readonly #free: Buffer[] = [];
  #block: Buffer | undefined;
  #filled = 0;
  #offset = 0;
  #written = 0;

  constructor(writer: CopyWriter, inFlight: number) {
    this.#writer = writer;
    this.#window = new Window(inFlight);
  }

  async append(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      this.#block ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#writer.objectSize);
      const part = chunk.subarray(at, at + this.#block.length - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#block.length) await this.#flush();
    }
  }

  /** Writes the last, shorter block and waits for everything; the bytes that were written, holes left out. */
  async finish(): Promise<number> {
    await this.#flush();
    await this.#window.drain();
    return this.#written;
  }

  async #flush(): Promise<void> {
    const block = this.#block;
    if (block === undefined || this.#filled === 0) return;
    const data = block.subarray(0, this.#filled);
    const offset = this.#offset;
    const extents = dataExtents(data);
    this.#block = undefined;
    this.#offset += this.#filled;
    this.#filled = 0;
    if (extents.length === 0) {
      this.#free.push(block);
      return;
    }
    await this.#window.add(async () => {
      await Promise.all(extents.map(([start, end]) => this.#writer.write(offset + start, data.subarray(start, end))));
      this.#free.push(block);
    });
    this.#written += extents.reduce((sum, [start, end]) => sum + end - start, 0);
  }
}
