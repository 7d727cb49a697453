import {LRUCache} from 'lru-cache';

/** ms. As long as a download of the largest image may take. */
const remembered = 24 * 3600_000;

/**
 * ms. What a reader does with the file before he looks again. All servers of one request have its id: those that come later are to
 * be shown the copy. And of readers without a request id there is no telling one from another.
 */
const briefly = 600_000;

/**
 * Who reads which image's file. Nova and Cinder ask for the record several times in one piece of work: to clone, to download, and
 * once more when they have the file, which they refuse if it is not of the format that the record says. A copy that gets ready
 * in between must not change what they are told. A piece of work is known by the request id, which is the same in all its requests.
 */
export class Downloads {
  readonly #noted: LRUCache<string, true>;

  constructor(now: () => number = () => performance.now()) {
    this.#noted = new LRUCache({max: 4096, ttl: remembered, ttlResolution: 0, perf: {now}});
  }

  /** The image's file is being read. */
  noteFile(image: string, requestId: string | undefined): void {
    this.#noted.set(keyOf(image, requestId), true, requestId === undefined ? {ttl: briefly} : {});
  }

  /** It was read, or given up. Another one who reads it still says so at his own end, before he looks. */
  noteEnd(image: string, requestId: string | undefined): void {
    this.#noted.set(keyOf(image, requestId), true, {ttl: briefly});
  }

  /** The record went out as Glance gave it: now the file will be read. */
  noteRecord(image: string, requestId: string | undefined): void {
    if (requestId !== undefined) this.#noted.set(keyOf(image, requestId), true);
  }

  has(image: string, requestId: string | undefined): boolean {
    return this.#noted.has(keyOf(image, requestId));
  }
}

const keyOf = (image: string, requestId = ''): string => `${image.toLowerCase()} ${requestId}`;
