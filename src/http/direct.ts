/**
 * A GET for a large body. Node's HTTP parser makes a new buffer of every 64 KiB that it hands on, and on a host that fills at
 * the speed of its network this costs more processor time than the rest of the fill. Here the parser sees the head of the
 * answer; the body of a plain 200 is then read from the socket into memory that is used again (slabs.ts).
 */
import {once} from 'node:events';
import http, {type ClientRequest, type IncomingMessage} from 'node:http';
import https from 'node:https';
import type {OnReadOpts, Socket} from 'node:net';
import {Readable} from 'node:stream';
import {type Answer, type Call, headOf} from './exchange.ts';
import {failure} from './failure.ts';
import type {SlabReader, Slabs} from './slabs.ts';
import {requestHeaders, type Transport} from './transport.ts';

/** A chunk that its consumer is done with: its memory may be used again. */
export type Recycle = (chunk: Uint8Array) => void;

/** Sends the call and settles when the answer's headers are there. Nothing is followed, decoded or tried again. */
export async function exchangeDirect(transport: Transport, {url, headers = {}, signal}: Call): Promise<Answer> {
  if (signal.aborted) throw failure(undefined, signal);
  const wire = new Wire(transport.slabs);
  const {request: ask} = url.startsWith('https:') ? https : http;
  const request = ask(url, {
    headers: {
      ...requestHeaders,
      ...Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
    },
    createConnection: () => wire.use(transport.connect(new URL(url), wire.onread)),
  });
  const abort = () => request.destroy(new Error('aborted'));
  signal.addEventListener('abort', abort, {once: true});
  request.once('close', () => signal.removeEventListener('abort', abort));
  request.on('error', error => wire.body?.destroy(error)); // before there is one, `once` tells it
  request.once('response', wire.onResponse);
  const deadline = keepTime(request, transport);
  try {
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    const closed = once(request, 'close').then(() => {
      throw new Error('the connection was closed without an answer');
    });
    request.end();
    const [response] = await Promise.race([answered, closed]);
    return {...headOf(response), body: wire.body ?? response};
  } catch (error) {
    request.destroy();
    throw failure(error, signal);
  } finally {
    deadline.clear();
  }
}

/** So long for the connection, then so long for the answer's head. */
function keepTime(request: ClientRequest, {timeout, connectTimeout}: Transport): {clear(): void} {
  const destroyIn = (ms: number, what: string) =>
    setTimeout(() => request.destroy(Object.assign(new Error(`${what} within ${ms} ms`), {code: 'ETIMEDOUT'})), ms);
  let timer = destroyIn(connectTimeout, 'no connection');
  request.once('socket', socket => {
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      timer = destroyIn(timeout, 'no answer');
    });
  });
  return {clear: () => clearTimeout(timer)};
}

/** One connection: what it reads goes to the parser until the body begins, and from then on to the body. */
class Wire {
  body: DirectBody | undefined;
  readonly onread: OnReadOpts = {buffer: () => this.#reader.room(), callback: n => this.#take(n)};
  readonly #slabs: Slabs;
  readonly #reader: SlabReader;
  #socket: Socket | undefined;

  constructor(slabs: Slabs) {
    this.#slabs = slabs;
    this.#reader = slabs.reader();
  }

  use(socket: Socket): Socket {
    this.#socket = socket;
    return socket;
  }

  /** Comes while the parser is still at the chunk in which the head ended: the rest of that chunk is read from the response. */
  readonly onResponse = (response: IncomingMessage): void => {
    response.on('error', () => {}); // told by its reader
    const length = plainLength(response);
    if (length !== undefined && this.#socket !== undefined)
      this.body = new DirectBody(response, this.#socket, length, this.#slabs.recycle);
  };

  /** False: read no more until resumed. */
  #take(n: number): boolean {
    if (this.body !== undefined) return this.body.feed(this.#reader.take(n));
    this.#socket?.emit('data', this.#reader.copy(n));
    return true;
  }
}

/** The length of a body that is just the bytes on the wire; undefined for any other, which is the parser's. */
function plainLength({statusCode, headers}: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  if (statusCode !== 200 || length === undefined || headers['transfer-encoding'] !== undefined) return undefined;
  return Number(length);
}

/**
 * A stream of chunks as they were read, its connection closed with it. `recycle` takes a chunk back when nobody looks at it any
 * more; a chunk that is never given back stays as it is.
 */
export class DirectBody extends Readable {
  readonly recycle: Recycle;
  readonly #head: IncomingMessage;
  readonly #socket: Socket;
  #left: number;
  #error: Error | undefined;

  constructor(head: IncomingMessage, socket: Socket, length: number, recycle: Recycle) {
    super({objectMode: true, highWaterMark: 8}); // chunks keep their borders, and so their buffers
    this.#head = head;
    this.#socket = socket;
    this.#left = length;
    this.recycle = recycle;
    this.on('error', () => {}); // an error between the headers and the first read would end the process
    socket.once('error', error => {
      this.#error = error;
    });
    socket.once('close', () => {
      this.#takeHead();
      if (this.#left > 0) this.destroy(this.#error ?? new Error('the connection was closed'));
    });
    if (length === 0) this.#end();
  }

  /** Takes what the socket read. Whether more is welcome. */
  feed(chunk: Buffer): boolean {
    this.#takeHead();
    return this.#add(chunk);
  }

  /** What came in one piece with the head, and nobody may have read yet. */
  #takeHead(): void {
    const first: Buffer | null = this.#head.read();
    if (first !== null) this.#add(first);
  }

  #add(chunk: Buffer): boolean {
    if (this.#left === 0 || this.destroyed) return false;
    if (chunk.length > this.#left) {
      this.destroy(new Error('more came than its Content-Length'));
      return false;
    }
    this.#left -= chunk.length;
    const more = this.push(chunk);
    if (this.#left === 0) this.#end();
    return more;
  }

  override _read(): void {
    const chunk: Buffer | null = this.#head.read();
    if (chunk !== null) this.#add(chunk);
    else this.#socket.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #end(): void {
    this.push(null);
    this.#socket.destroy();
  }
}
