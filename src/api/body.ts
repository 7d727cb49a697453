import type {IncomingMessage} from 'node:http';
import {CellarError} from '../core/errors.ts';
import {limits} from './names.ts';
import {Refusal} from './problem.ts';
import {mediaTypes} from './wire.ts';

/**
 * The request's body: JSON of the media type, within the limit, all of it within `timeout` ms. A refusal leaves the rest
 * unread, so the answer to it must close the connection.
 */
export async function readBody(request: IncomingMessage, timeout: number, signal: AbortSignal): Promise<unknown> {
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== mediaTypes.json) {
    throw new Refusal(415, 'usage', `the body is ${type ?? 'of no stated type'}, not ${mediaTypes.json}`);
  }
  if (request.headers['content-encoding'] !== undefined) throw new Refusal(415, 'usage', 'the body may not be encoded');
  if (Number(request.headers['content-length'] ?? 0) > limits.body) throw tooLarge();
  return parseJson(await receive(request, timeout, signal));
}

/** Most requests take no body: one that comes all the same was meant for something else. */
export function refuseBody(request: IncomingMessage): void {
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > 0 || request.headers['transfer-encoding'] !== undefined) {
    throw new Refusal(400, 'usage', `this ${request.method} takes no body`);
  }
}

async function receive(request: IncomingMessage, timeout: number, signal: AbortSignal): Promise<string> {
  const {promise, resolve, reject} = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let size = 0;
  const onData = (chunk: Buffer) => {
    size += chunk.length;
    if (size > limits.body) reject(tooLarge());
    else chunks.push(chunk);
  };
  const onEnd = () => resolve(Buffer.concat(chunks).toString('utf8'));
  const onAbort = () => reject(signal.reason);
  const slow = () => reject(new Refusal(408, 'timeout', `the body did not arrive within ${timeout} ms`));
  const timer = setTimeout(slow, timeout);
  signal.addEventListener('abort', onAbort, {once: true});
  request.on('data', onData).on('end', onEnd).on('error', reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    // The error listener stays: a connection that breaks later must not become an uncaught exception.
    request.off('data', onData).off('end', onEnd).pause();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // V8's message quotes the text around the fault, which may be the token: it is not passed on, nor kept as the cause.
    throw new CellarError('usage', 'the body is not JSON');
  }
}

const tooLarge = () => new Refusal(413, 'usage', `the body is larger than ${limits.body} bytes`);
