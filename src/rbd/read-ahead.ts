import type {NativeImage} from './native.ts';

/** Bytes read at once, and how many reads are on their way. */
const blockSize = 4 * 1024 * 1024;
const depth = 4;

/** The image from its beginning to its end, some blocks ahead of the reader. Settles only when no read is on its way any more. */
export async function* readAhead(
  image: Pick<NativeImage, 'info' | 'read'>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const {size} = await image.info();
  const ahead: Promise<Uint8Array>[] = [];
  const readAt = async (offset: number) => {
    const buffer = Buffer.allocUnsafeSlow(Math.min(blockSize, size - offset));
    return buffer.subarray(0, await image.read(offset, buffer));
  };
  const begin = (offset: number) => {
    const block = readAt(offset);
    block.catch(() => {}); // told when it is its turn: until then nobody awaits it
    ahead.push(block);
  };
  try {
    for (let next = 0; next < size || ahead.length > 0; ) {
      signal.throwIfAborted();
      for (; next < size && ahead.length < depth; next += blockSize) begin(next);
      const block = ahead.shift();
      if (block !== undefined) yield await block;
    }
  } finally {
    await Promise.allSettled(ahead);
  }
}
