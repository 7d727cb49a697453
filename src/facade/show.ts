/** `GET /v2/images/{id}`: the one answer that is not always Glance's own. */
import type {IncomingMessage, ServerResponse} from 'node:http';
import {asCellarError} from '../core/errors.ts';
import type {NotOffered} from '../core/events.ts';
import type {ImageRecord, Requester} from '../core/image.ts';
import {type EarlyOffer, formatOffer, type Offered, type OfferOptions} from '../core/offer.ts';
import {abortable} from '../core/single-flight.ts';
import type {Downloads} from './downloads.ts';
import {requestIdIn} from './headers.ts';
import {maxRecord} from './limits.ts';
import {cut, refuse, relay, relayWith} from './relay.ts';
import {rewriteRecord} from './rewrite.ts';

export type ShowOptions = {
  /** Reads a record; fails when it is none. */
  parse(body: unknown, id: string): ImageRecord;
  /** Begins to look for a copy while Glance is asked; what it finds is for `offer`. */
  begin?: ((id: string, signal: AbortSignal) => EarlyOffer) | undefined;
  offer(image: ImageRecord, requester: Requester, options: OfferOptions): Promise<Offered>;
  /** ms that an answer is held, all in all. */
  hold: number;
  /** Told of each answer that was looked at, for a log line. */
  onShown?: ((shown: Shown) => void) | undefined;
};

/** What became of one answer. */
export type Shown = {
  image: string;
  /** The snapshot that was put first. */
  offered?: string;
  /** Why the answer is Glance's own, in words and for counting. */
  why?: string;
  reason?: NotOffered;
  /** ms that it was held. */
  held: number;
  requestId?: string | undefined;
};

export type ShowContext = {
  /** Aborts when the caller is gone. */
  gone: AbortSignal;
  /** Aborts when the agent stops. */
  stop: AbortSignal;
  /** What was begun before Glance had answered. */
  early: EarlyOffer | undefined;
  /** May a copy be made? */
  mayFill: boolean;
  /** Who is told nothing of a copy, as he reads the file. */
  downloads: Downloads;
};

const showPath = /^\/v2\/images\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\?.*)?$/i;

/** The image that is asked for; undefined for every other request. */
export function shownImage({method, url}: IncomingMessage): string | undefined {
  return method === 'GET' ? showPath.exec(url ?? '')?.[1] : undefined;
}

/**
 * Glance has answered. If that is the record of an active image, the answer waits until we know whether there is a copy to
 * offer, and says so; in every other case it goes on as it is, and for who asks again in the same piece of work too. While the
 * agent stops it is 503, which Nova tries again.
 */
export async function show(
  id: string,
  request: IncomingMessage,
  answer: IncomingMessage,
  response: ServerResponse,
  options: ShowOptions,
  context: ShowContext,
): Promise<void> {
  if (!isJson(answer)) return relay(answer, response);
  const {chunks, whole} = await readUpTo(answer, maxRecord);
  if (context.gone.aborted) return cut(response);
  const body = Buffer.concat(chunks);
  const image = whole ? recordIn(body, id, options) : undefined;
  if (image?.status !== 'active') return relay(answer, response, chunks);
  const offered = await findOffer(image, request, options, context);
  if (context.gone.aborted) return cut(response);
  if (context.stop.aborted && offered !== asBefore)
    return refuse(response, 'The cellar agent of this host is being restarted.');
  if (offered.offer === undefined) {
    if (offered !== asBefore) context.downloads.noteRecord(image.id, requestIdIn(request.headers)); // a last look begins nothing anew
    return relay(answer, response, chunks);
  }
  relayWith(answer, response, Buffer.from(rewriteRecord(body.toString('latin1'), offered.offer), 'latin1'));
}

async function findOffer(
  image: ImageRecord,
  request: IncomingMessage,
  options: ShowOptions,
  context: ShowContext,
): Promise<Offered> {
  const started = performance.now();
  const requester = requesterOf(request);
  const goesOn = context.downloads.has(image.id, requestIdIn(request.headers));
  const offered = goesOn ? asBefore : await askOffer(image, requester, options, context);
  const held = performance.now() - started;
  const outcome =
    offered.offer === undefined
      ? {why: offered.why, ...(offered.reason && {reason: offered.reason})}
      : {offered: formatOffer(offered.offer)};
  options.onShown?.({image: image.id, ...outcome, held, requestId: requester.requestId});
  return offered;
}

const asBefore: Offered = {
  why: 'it was shown so before in the same piece of work, or its file was read there',
  reason: 'as-before',
};

function askOffer(
  image: ImageRecord,
  requester: Requester,
  {offer, hold}: ShowOptions,
  {gone, stop, early, mayFill}: ShowContext,
): Promise<Offered> {
  const signal = AbortSignal.any([gone, stop]);
  return abortable(offer(image, requester, {signal, hold, mayFill, begun: early}), signal).catch(error => {
    if (stop.aborted) return {why: 'the agent is stopping', reason: 'stopping' as const};
    if (gone.aborted) return {why: 'the caller went away', reason: 'left' as const};
    return {why: asCellarError(error).message, reason: 'failed' as const};
  });
}

/** A compressed answer is somebody else's work, and is left alone. */
const isJson = ({statusCode, headers}: IncomingMessage): boolean =>
  statusCode === 200 &&
  /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '') &&
  /^(identity)?$/i.test(headers['content-encoding'] ?? '') &&
  Number(headers['content-length'] ?? 0) <= maxRecord;

/** `whole` unless there is more than `limit`, or it broke off. What is left can still be read. */
async function readUpTo(answer: IncomingMessage, limit: number): Promise<{chunks: Buffer[]; whole: boolean}> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer.iterator({destroyOnReturn: false})) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) return {chunks, whole: false};
    }
  } catch {
    return {chunks, whole: false};
  }
  return {chunks, whole: answer.complete};
}

/** Something that we do not understand is not ours to judge. */
function recordIn(body: Buffer, id: string, {parse}: ShowOptions): ImageRecord | undefined {
  try {
    return parse(JSON.parse(body.toString()), id);
  } catch {
    return undefined;
  }
}

function requesterOf({headers}: IncomingMessage): Requester & {requestId?: string} {
  const token = headers['x-auth-token'];
  const requestId = headers['x-openstack-request-id'];
  return {
    ...(typeof token === 'string' && {token}),
    ...(typeof requestId === 'string' && {requestId}),
  };
}
