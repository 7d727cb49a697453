import {createHash, randomUUID} from 'node:crypto';
import {CellarError} from '../../src/core/errors.ts';
import type {ImageRecord, Requester} from '../../src/core/image.ts';
import type {Images} from '../../src/core/ports.ts';

export type FakeImageRecord = ImageRecord & {data: Buffer; readers: Set<string> | undefined};

/** Glance in memory: images by id, with the tokens that may read them (undefined: all). */
export class FakeImages implements Images {
  readonly records = new Map<string, FakeImageRecord>();
  /** Every download that was begun. */
  readonly downloads: string[] = [];
  /** Bytes of one chunk. */
  chunk = 1024 * 1024;
  /** Replaces the body of the next downloads. */
  body: ((data: Buffer) => AsyncIterable<Uint8Array>) | undefined;

  add(data: Buffer, record: Partial<FakeImageRecord> = {}): FakeImageRecord {
    const full: FakeImageRecord = {
      id: randomUUID(),
      name: 'an image',
      status: 'active',
      diskFormat: 'raw',
      containerFormat: 'bare',
      size: data.length,
      virtualSize: data.length,
      checksum: createHash('md5').update(data).digest('hex'),
      osHashAlgo: 'sha512',
      osHashValue: createHash('sha512').update(data).digest('hex'),
      minDisk: 0,
      locations: [],
      readers: undefined,
      data,
      ...record,
    };
    this.records.set(full.id, full);
    return full;
  }

  async get(id: string, {token}: Requester): Promise<ImageRecord> {
    const record = this.records.get(id);
    const visible = record?.readers === undefined || (token !== undefined && record.readers.has(token));
    if (record === undefined || !visible) throw new CellarError('not-found', `no image ${id}`);
    return record;
  }

  async locations(record: ImageRecord) {
    return record.locations;
  }

  async listable() {
    return true;
  }

  async download(record: ImageRecord, requester: Requester, signal: AbortSignal) {
    await this.get(record.id, requester);
    this.downloads.push(record.id);
    const {data} = this.records.get(record.id) ?? {data: Buffer.alloc(0)};
    const {chunk, body} = this;
    async function* chunks() {
      for (let at = 0; at < data.length; at += chunk) {
        signal.throwIfAborted();
        yield data.subarray(at, at + chunk);
        await new Promise(resolve => setImmediate(resolve));
      }
    }
    return {length: data.length, body: body ? body(data) : chunks()};
  }
}
