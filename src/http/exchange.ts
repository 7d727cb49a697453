/** One request, one answer. What goes wrong is a CellarError that holds nothing of the request. */
import {once} from 'node:events';
import type {IncomingHttpHeaders, IncomingMessage} from 'node:http';
import type {Readable} from 'node:stream';
import type {Request} from 'got';
import {CellarError} from '../core/errors.ts';
import {failure} from './failure.ts';
import type {Transport} from './transport.ts';

export type Call = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  url: string;
  headers?: Record<string, string | undefined>;
  json?: unknown;
  signal: AbortSignal;
};

export type Answer = {
  status: number;
  /** "404 Not Found" */
  statusLine: string;
  headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed; destroying it closes the connection. Its errors are for `failure()`. */
  body: Readable;
};

export type TextAnswer = Omit<Answer, 'body'> & {text: string};

/** The call with its answer's body as text, all within the transport's timeout. More than `limit` bytes is an error. */
export async function exchangeText(transport: Transport, call: Call, limit: number): Promise<TextAnswer> {
  const {method, url, headers = {}, json, signal} = call;
  if (signal.aborted) throw failure(undefined, signal);
  let body: Request | undefined;
  try {
    const timeout = {request: transport.timeout};
    body = transport.got.stream(url, {method, headers, signal, timeout, ...(json === undefined ? {} : {json})});
    // Any method but GET waits for a body, also where there is none.
    if (method !== 'GET' && json === undefined) body.end();
    // Without a listener an error between the headers and the first read would end the process.
    body.on('error', () => {});
    const [response] = (await once(body, 'response')) as [IncomingMessage];
    return {...headOf(response), text: await readText(body, limit)};
  } catch (error) {
    body?.destroy();
    throw failure(error, signal);
  }
}

/** An answer without its body. */
export function headOf({statusCode: status = 0, statusMessage = '', headers}: IncomingMessage): Omit<Answer, 'body'> {
  return {status, statusLine: `${status} ${statusMessage}`.trim(), headers};
}

/** The start of an error's page, for a message. Never fails: the status said enough. */
export async function excerpt(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  const giveUp = setTimeout(() => body.destroy(), 2000);
  try {
    let length = 0;
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > 16_384) break;
    }
  } catch {
  } finally {
    clearTimeout(giveUp);
  }
  return Buffer.concat(chunks).toString();
}

async function readText(body: Readable, limit: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > limit) throw new CellarError('unavailable', `the answer is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
