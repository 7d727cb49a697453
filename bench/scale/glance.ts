/** In Glance's place: images whose bytes follow from their number, the same in every process; every call is counted. */
import {setTimeout as sleep} from 'node:timers/promises';
import type {ImageRecord, Requester} from '../../src/core/image.ts';
import {FakeImages} from '../../test/fakes/images.ts';

export type ImageSpec = {
  id: string;
  seed: number;
  /** Bytes. */
  size: number;
  /** ms between two MiB of its body. */
  pause?: number;
};

export type GlanceCounts = {records: number; lists: number; downloads: number};

/** Images that only have a record: they are in the index, and nobody asks for their bytes. */
export const paperId = (n: number): string => `ffffffff-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
const isPaper = (id: string): boolean => id.startsWith('ffffffff-0000-4000-8000-');

export class StandIn extends FakeImages {
  readonly counts: GlanceCounts = {records: 0, lists: 0, downloads: 0};
  readonly #pauses = new Map<string, number>();

  constructor(images: ImageSpec[]) {
    super();
    for (const {id, seed, size, pause = 0} of images) {
      this.add(bytesOf(seed, size), {id});
      this.#pauses.set(id, pause);
    }
    this.add(Buffer.alloc(0), {id: paperId(0)});
  }

  override async get(id: string, requester: Requester): Promise<ImageRecord> {
    this.counts.records++;
    return super.get(isPaper(id) ? paperId(0) : id, requester);
  }

  override async listable(): Promise<boolean> {
    this.counts.lists++;
    return true;
  }

  override async download(record: ImageRecord, requester: Requester, signal: AbortSignal) {
    this.counts.downloads++;
    const pause = this.#pauses.get(record.id) ?? 0;
    const {length, body} = await super.download(record, requester, signal);
    this.counts.records--; // the stand-in asks itself
    return {length, body: pause === 0 ? body : slowly(body, pause, signal)};
  }
}

async function* slowly(body: AsyncIterable<Uint8Array>, pause: number, signal: AbortSignal) {
  for await (const chunk of body) {
    await sleep(pause, undefined, {signal});
    yield chunk;
  }
}

/** Never zero, and no two objects of it alike. */
function bytesOf(seed: number, size: number): Buffer {
  const bytes = Buffer.alloc(size, 1 + (seed % 255));
  for (let at = 0; at + 4 <= size; at += 4096) bytes.writeUInt32LE((seed * 7919 + at) >>> 0, at);
  return bytes;
}
