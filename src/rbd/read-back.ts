import {digestPiece} from '../core/digest.ts';
import type {CopyDigest, DigestOptions} from '../core/ports.ts';
import {quietly} from '../core/quietly.ts';
import type {NativeImage} from './native.ts';

/** Pieces in memory: 32 MiB. */
const inFlight = 8;

/** ms between two tellings of the progress. */
const interval = 250;

export type ReadBackOptions = DigestOptions & {granule: number; signal: AbortSignal};

/** The image from its beginning to its end. Settles only when nothing is read any more; fails with the signal's reason. */
export async function readBack(
  image: Pick<NativeImage, 'readBack'>,
  {form, granule, signal, onProgress}: ReadBackOptions,
): Promise<CopyDigest> {
  signal.throwIfAborted();
  const reading = image.readBack({pieceSize: digestPiece, inFlight, granule, inPieces: form === 'pieces'});
  const cancel = () => reading.cancel();
  signal.addEventListener('abort', cancel, {once: true});
  const tell = quietly(onProgress);
  const timer = onProgress && setInterval(() => tell(reading.position), interval);
  try {
    const result = await reading.result;
    tell(result.size);
    return result;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', cancel);
  }
}
