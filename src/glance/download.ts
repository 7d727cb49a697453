/** The body of an image: checked against its record, never stalled for ever, its connection never left open. */
import type {IncomingHttpHeaders} from 'node:http';
import type {Readable} from 'node:stream';
import {CellarError} from '../core/errors.ts';
import type {ImageRecord} from '../core/image.ts';
import type {Download} from '../core/ports.ts';
import {DirectBody} from '../http/direct.ts';
import {failure} from '../http/failure.ts';

export type BodyOptions = {
  /** Milliseconds without a byte while one is wanted. */
  idle: number;
  signal: AbortSignal;
};

/** An answer of status 200 as a Download; `corrupt` when its headers already say that it is not the image. */
export function toDownload(
  record: ImageRecord,
  headers: IncomingHttpHeaders,
  body: Readable,
  options: BodyOptions,
): Download {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw corrupt(
      record,
      `encoded as ${encoding}, which was not asked for`,
      'turn off the gzip filter of Glance, or of the proxy before it',
    );
  }
  const length = contentLength(headers);
  if (length !== undefined && record.size !== undefined && length !== record.size) {
    throw corrupt(record, `as ${length} bytes, and its record says ${record.size}`);
  }
  const download = {length, body: new Body(body, record, length, options)};
  return body instanceof DirectBody ? {...download, recycle: body.recycle} : download;
}

/**
 * Iterates the stream once. It is an iterator by itself, not a generator: those do not run their `finally` when they are
 * left before the first step, and the connection would stay.
 */
class Body implements AsyncIterableIterator<Uint8Array> {
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #record: ImageRecord;
  readonly #length: number | undefined;
  readonly #options: BodyOptions;
  readonly #timer: NodeJS.Timeout;
  #wanted = false;
  #stalled = false;
  #received = 0;

  constructor(stream: Readable, record: ImageRecord, length: number | undefined, options: BodyOptions) {
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#record = record;
    this.#length = length;
    this.#options = options;
    this.#timer = setTimeout(() => this.#onIdle(), options.idle).unref();
    stream.once('close', () => clearTimeout(this.#timer));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#wanted = true;
    this.#timer.refresh();
    try {
      const step = await this.#chunks.next();
      if (step.done) return this.#end();
      this.#received += step.value.length;
      if (this.#received > (this.#record.size ?? Number.POSITIVE_INFINITY)) throw this.#wrongLength('at least ');
      return step;
    } catch (error) {
      this.#stream.destroy();
      throw this.#explain(error);
    } finally {
      this.#wanted = false;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#stream.destroy();
    return {done: true, value: undefined};
  }

  #end(): IteratorResult<Uint8Array, undefined> {
    clearTimeout(this.#timer);
    const promised = this.#length ?? this.#record.size;
    if (promised !== undefined && this.#received !== promised) throw this.#wrongLength('');
    return {done: true, value: undefined};
  }

  /** Time that the consumer takes is not Glance's: only a wait for bytes counts. */
  #onIdle(): void {
    if (!this.#wanted) {
      this.#timer.refresh();
      return;
    }
    this.#stalled = true;
    this.#stream.destroy(new Error('stalled'));
  }

  #wrongLength(more: string): CellarError {
    return corrupt(this.#record, `as ${more}${this.#received} bytes, and its record says ${this.#record.size}`);
  }

  #explain(error: unknown): CellarError {
    const {signal, idle} = this.#options;
    if (error instanceof CellarError) return error;
    const {id} = this.#record;
    const got = `after ${this.#received}${this.#length === undefined ? '' : ` of ${this.#length}`} bytes`;
    const {kind, message, cause} = failure(error, signal);
    if (this.#stalled && !signal.aborted) {
      return new CellarError(
        'timeout',
        `the download of image ${id} stalled ${got}: nothing came for ${idle / 1000} s`,
        {object: id},
      );
    }
    return new CellarError(kind, `the download of image ${id} broke off ${got}: ${message}`, {object: id, cause});
  }
}

function contentLength(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['content-length'];
  return value === undefined ? undefined : Number(value);
}

function corrupt(
  record: ImageRecord,
  how: string,
  hint = 'look at the Glance store that the image lies in',
): CellarError {
  return new CellarError('corrupt', `Glance sends image ${record.id} ${how}`, {object: record.id, hint});
}
