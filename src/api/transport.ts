/** One exchange over the socket: a request out, and back an answer that fits its schema, or a CellarError. */
import {Agent} from 'node:http';
import {resolve} from 'node:path';
import got, {type OptionsInit, RequestError, type Response, TimeoutError} from 'got';
import type {z} from 'zod';
import {asCellarError, CellarError} from '../core/errors.ts';
import type {Progress} from '../core/request.ts';
import {failure, readError} from './problem.ts';
import type {Method} from './router.ts';
import {unreachable} from './unreachable.ts';
import * as wire from './wire.ts';

export type Transport = {socket: string; version: string; onOtherVersion: (agent: string) => void};

export type Exchange = {
  method: Method;
  path: string;
  body?: object;
  token?: string;
  requestId?: string;
  /** Milliseconds, for all of it. */
  timeout: number;
  signal?: AbortSignal;
  /** With it the answer is asked for in lines. */
  onProgress?: (progress: Progress) => void;
};

export async function exchange<Schema extends z.ZodType>(
  transport: Transport,
  ask: Exchange,
  schema: Schema,
): Promise<z.output<Schema>> {
  try {
    const stream = got.stream(urlOf(transport.socket, ask.path), optionsOf(transport, ask));
    // A got stream waits for its writable side where the method could have a body.
    if (ask.method !== 'GET' && ask.body === undefined) stream.end();
    let response: Response | undefined;
    stream.on('response', (one: Response) => {
      response = one;
      const version = one.headers[wire.headers.version.toLowerCase()];
      if (typeof version === 'string' && version !== transport.version) transport.onOtherVersion(version);
    });
    let last = '';
    for await (const line of linesOf(stream)) {
      const progress = progressIn(line);
      if (progress === undefined) last = line;
      else ask.onProgress?.(progress);
    }
    return outcome(last, response, transport.socket, schema);
  } catch (error) {
    throw await explain(error, transport.socket, ask);
  }
}

/** The path of the socket is part of the URL: what would end it there is escaped. */
const urlOf = (socket: string, path: string) =>
  `http://unix:${resolve(socket).split('/').map(encodeURIComponent).join('/')}:${path}`;

/** A connection kept for later might be one that the agent just closed, and a local one costs nothing. */
const oneConnectionEach = new Agent({keepAlive: false});

const optionsOf = ({version}: Transport, {method, body, token, requestId, timeout, signal, onProgress}: Exchange) =>
  ({
    method,
    headers: {
      'user-agent': `cellar/${version}`,
      accept: onProgress ? `${wire.mediaTypes.ndjson}, ${wire.mediaTypes.json}` : wire.mediaTypes.json,
      // The header rather than the body: bodies end up in error texts more easily.
      ...(token !== undefined && {[wire.headers.token]: token}),
      ...(requestId !== undefined && {[wire.headers.requestId]: requestId}),
    },
    ...(body && {json: body}),
    ...(signal && {signal}),
    timeout: {request: timeout},
    enableUnixSockets: true,
    agent: {http: oneConnectionEach},
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    // The caller decides whether to try again: most kinds of error are not worth it.
    retry: {limit: 0},
  }) satisfies OptionsInit & {isStream?: true};

/** Lines without their ends; a plain JSON answer is one line. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, {stream: true})).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function progressIn(line: string): Progress | undefined {
  if (!line.startsWith('{"progress":')) return undefined;
  const parsed = wire.streamLine.safeParse(tryJson(line));
  return parsed.success && 'progress' in parsed.data ? parsed.data.progress : undefined;
}

function outcome<Schema extends z.ZodType>(
  text: string,
  response: Response | undefined,
  socket: string,
  schema: Schema,
): z.output<Schema> {
  const value = tryJson(text) as {result?: unknown} | undefined;
  const error = wire.errorAnswer.safeParse({schema: 1, ...value});
  if (error.success) throw readError(error.data.error);
  const lines = response?.headers['content-type'] === wire.mediaTypes.ndjson;
  const answer = schema.safeParse(lines ? value?.result : value);
  if (response?.statusCode === 200 && answer.success) return answer.data;
  throw new CellarError('internal', `what answers on ${socket} does not speak as an agent (${response?.statusCode})`, {
    hint: 'is it a cellar-agent, and of this version?',
    object: socket,
    cause: answer.error,
  });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function explain(error: unknown, socket: string, {signal, timeout}: Exchange): Promise<CellarError> {
  if (signal?.aborted) return failure(error, signal);
  if (error instanceof TimeoutError) {
    return new CellarError('timeout', `the agent did not answer within ${timeout / 1000} s`, {
      hint: 'allow more time, or see what it does with `cellar status`',
    });
  }
  if (error instanceof RequestError) return unreachable(socket, error.code, error.message);
  return asCellarError(error);
}
