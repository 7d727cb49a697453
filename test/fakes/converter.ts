import {createHash} from 'node:crypto';
import type {Converter, Spooled} from '../../src/core/ports.ts';
import type {FakeCell} from './cell.ts';

/** Conversion in memory: whatever is spooled becomes `disk`. What it was asked is kept. */
export class FakeConverter implements Converter {
  readonly #cell: FakeCell;
  /** The disk that any file turns into. */
  disk = Buffer.alloc(0);
  opinion: Awaited<ReturnType<Converter['check']>> = {ok: true};
  readonly spooled: Buffer[] = [];
  readonly converted: {driver: string; copy: string}[] = [];
  /** Files in the spool now. */
  open = 0;

  constructor(cell: FakeCell) {
    this.#cell = cell;
  }

  async spool(_: number, digests: string[]): Promise<Spooled> {
    const chunks: Buffer[] = [];
    const hashes = digests.map(algo => [algo, createHash(algo)] as const);
    this.open++;
    return {
      path: '/nowhere',
      write: async chunk => {
        chunks.push(Buffer.from(chunk));
        for (const [, hash] of hashes) hash.update(chunk);
      },
      finish: async () => {
        this.spooled.push(Buffer.concat(chunks));
        return Object.fromEntries(hashes.map(([algo, hash]) => [algo, hash.digest('hex')]));
      },
      [Symbol.asyncDispose]: async () => {
        this.open--;
      },
    };
  }

  async check(): ReturnType<Converter['check']> {
    return this.opinion;
  }

  async convert(_: string, {driver}: {driver: string}, copy: string): Promise<void> {
    await new Promise(resolve => setImmediate(resolve)); // as long as it takes to lose the file
    if (this.open === 0) throw new Error('the file is gone');
    await this.#cell.before('convert', copy);
    this.converted.push({driver, copy});
    const image = this.#cell.images.get(`${this.#cell.cachePool}/${copy}`);
    if (image === undefined || image.size !== this.disk.length) throw new Error('no copy of the size of the disk');
    this.disk.copy(image.data);
    image.own = true;
  }
}
