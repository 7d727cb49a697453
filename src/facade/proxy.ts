/** One request, from its headers to the last byte of its answer. */
import type {IncomingMessage, ServerResponse} from 'node:http';
import {CellarError} from '../core/errors.ts';
import type {Downloads} from './downloads.ts';
import {requestIdIn} from './headers.ts';
import {cut, refuse, relay} from './relay.ts';
import {type ShowOptions, show, shownImage} from './show.ts';
import type {Uploads} from './uploads.ts';
import {hasBody, type Upstream} from './upstream.ts';

export type ProxyContext = {
  upstream: Upstream;
  uploads: Uploads;
  downloads: Downloads;
  show: ShowOptions;
  /** Aborts when the caller is gone, or has all of the answer. */
  gone: AbortSignal;
  /** Aborts when the agent stops. */
  stop: AbortSignal;
  /** The caller waits for leave to send the body. */
  expects: boolean;
};

const filePath = /^\/v2\/images\/([0-9a-f-]{36})\/file(?:\?.*)?$/i;

/** Settles when the answer is begun, with the error if Glance gave none. Never rejects for what the two sides do. */
export async function proxy(
  request: IncomingMessage,
  response: ServerResponse,
  context: ProxyContext,
): Promise<CellarError | undefined> {
  const {upstream, uploads, downloads, gone, stop, expects} = context;
  if (upstream.isOurs(request.socket)) {
    refuse(response, 'What the cellar agent of this host takes for Glance is the agent itself.');
    return loop(request);
  }
  const shown = shownImage(request);
  const file = filePath.exec(request.url ?? '')?.[1];
  const uploaded = request.method === 'PUT' ? file : undefined;
  const requestId = requestIdIn(request.headers);
  if (file !== undefined && request.method === 'GET') noteDownload(file, requestId, response, downloads);
  const sought = shown !== undefined && !downloads.has(shown, requestId);
  // Ends with the answer, whatever that is.
  const early = sought ? context.show.begin?.(shown, AbortSignal.any([gone, stop])) : undefined;
  const {answer, unreachable, unanswered} = await upstream.send(request, {
    signal: gone,
    // What a gzip filter before Glance has packed could not be looked at.
    ...(shown !== undefined && {change: {'accept-encoding': 'identity'}}),
    ...(expects && {onContinue: () => response.writeContinue()}),
  });
  if (unreachable !== undefined) {
    if (hasBody(request)) response.shouldKeepAlive = false; // the rest of it is of no use to anybody
    refuse(response, 'Glance cannot be reached from this host.');
    return unreachable;
  }
  if (unanswered !== undefined) {
    cut(response); // as Glance has hung up
    return unanswered;
  }
  if (uploaded !== undefined && isTaken(answer)) uploads.note(uploaded);
  if (shown === undefined) await relay(answer, response);
  else {
    const mayFill = !uploads.has(shown);
    await show(shown, request, answer, response, context.show, {gone, stop, early, mayFill, downloads});
  }
  return undefined;
}

/** A download may take hours: it is noted when it begins and when it is over. */
function noteDownload(image: string, requestId: string | undefined, response: ServerResponse, downloads: Downloads) {
  downloads.noteFile(image, requestId);
  response.once('close', () => downloads.noteEnd(image, requestId));
}

const loop = ({method}: IncomingMessage): CellarError =>
  new CellarError('config', `${method} at Glance came back to the facade: its address leads to this agent`, {
    hint: 'set [facade] upstream to the URL of the real Glance',
  });

const isTaken = ({statusCode = 0}: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300;
