import {verifyDigests} from './digest.ts';
import {CellarError} from './errors.ts';
import type {Inspector} from './format/index.ts';
import type {ImageRecord} from './image.ts';
import type {CopyWriter, Download} from './ports.ts';

/** Chunks that may wait for the writer: enough for it not to wait for the next one, 8 MiB as they are cut at most. */
const chunksAhead = 32;

export type Transferred = {digests: Record<string, string>; verified: boolean; written: number};

export type TransferOptions = {
  size: number;
  signal: AbortSignal;
  onReceived: (bytes: number) => void;
  /** Sees every byte before it is written; what its head says is refused at once. */
  inspector: Inspector;
};

/**
 * One pass over the image, from Glance's stream to the copy: the writer sets the pace. Ends when every write has been answered
 * and length and hash are Glance's. Fails with `corrupt` on a short, long or different body.
 */
export async function transfer(
  image: ImageRecord,
  download: Download,
  writer: CopyWriter,
  options: TransferOptions,
): Promise<Transferred> {
  const appends: Promise<void>[] = []; // they settle in order
  for await (const chunk of receive(image, download, options)) {
    const append = writer.append(chunk).then(() => download.recycle?.(chunk));
    append.catch(() => {}); // thrown below, or no longer asked for
    if (appends.push(append) === chunksAhead) await Promise.all(appends.splice(0, chunksAhead / 2));
  }
  await Promise.all(appends);
  const {digests, written} = await writer.finish();
  return {digests, written, verified: verifyDigests(image, digests)};
}

export type ReceiveOptions = TransferOptions & {
  /** Is told the disk's size, where the head of the file tells it, before that chunk is passed on. */
  onHead?: (virtualSize: number | undefined) => void;
};

/**
 * The chunks of a body, each looked at before it is passed on. Fails with `corrupt` on a short or long body, `unacceptable` as
 * soon as the head of the file is not what the image is declared as. `onReceived` is told when a chunk was taken.
 */
export async function* receive(
  image: ImageRecord,
  {body}: Download,
  {size, signal, onReceived, inspector, onHead}: ReceiveOptions,
): AsyncGenerator<Uint8Array, void> {
  let received = 0;
  let headSeen = false; // what was said of the head is for good
  for await (const chunk of body) {
    signal.throwIfAborted();
    received += chunk.length;
    if (received > size) throw wrongLength(image, `at least ${received}`, size);
    inspector.push(chunk);
    const early = headSeen ? undefined : inspector.early(image.diskFormat ?? '');
    if (early?.kind === 'refuse') throw unacceptable(image, early.why);
    if (early?.kind === 'continue') {
      headSeen = true;
      onHead?.(early.virtualSize);
    }
    yield chunk;
    onReceived(received);
  }
  signal.throwIfAborted();
  if (received !== size) throw wrongLength(image, String(received), size);
}

export const unacceptable = (image: ImageRecord, why: string) =>
  new CellarError('unacceptable', `image ${image.id} cannot become a disk: ${why}`, {
    hint: 'nothing of it was kept; upload it again in the format it is declared as',
    object: image.id,
  });

const wrongLength = (image: ImageRecord, received: string, size: number) =>
  new CellarError('corrupt', `Glance sent ${received} bytes for image ${image.id}, its record says ${size}`, {
    hint: 'nothing was kept; try again, and look at the Glance store if it happens again',
    object: image.id,
  });
