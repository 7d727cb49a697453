/** oslo.messaging's envelope 2.0: JSON within JSON. Pure. */
import {CellarError} from '../core/errors.ts';

export type Request = {
  method: string;
  args: Record<string, unknown>;
  version: string;
  namespace?: string | undefined;
  msgId: string;
  uniqueId: string;
  replyQueue: string;
  /** Seconds between the server's signs of life that the caller waits for; undefined: it asks for none. */
  monitor?: number | undefined;
  context: Record<string, unknown>;
};

export function encodeRequest(request: Request): Buffer {
  const {method, args, version, namespace, msgId, uniqueId, replyQueue, monitor, context} = request;
  const message = {
    method,
    args,
    version,
    ...(namespace === undefined ? {} : {namespace}),
    _msg_id: msgId,
    _reply_q: replyQueue,
    _timeout: monitor ?? null,
    _unique_id: uniqueId,
    ...Object.fromEntries(Object.entries(context).map(([name, value]) => [`_context_${name}`, value])),
  };
  return Buffer.from(JSON.stringify({'oslo.version': '2.0', 'oslo.message': JSON.stringify(message)}));
}

export type Reply = {
  msgId: string;
  uniqueId: string | undefined;
  result: unknown;
  /** The failure's JSON, as it came. */
  failure: string | undefined;
  ending: boolean;
};

/** More than any answer of a conductor's. The text is held some five times while it is read. */
export const replyLimit = 32 * 1024 * 1024;

/** Any bytes as an answer; `unavailable` when they are none. */
export function decodeReply(body: Uint8Array, limit: number = replyLimit): Reply {
  if (body.length > limit) throw unreadable(`it has ${body.length} bytes, and ${limit} are read`);
  const outer = parseRecord(Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8'));
  const inner = 'oslo.message' in outer ? parseRecord(enveloped(outer)) : outer;
  const {_msg_id: msgId, _unique_id: uniqueId, result = null, failure = null, ending} = inner;
  if (typeof msgId !== 'string') throw unreadable('it has no _msg_id');
  if (failure !== null && typeof failure !== 'string') throw unreadable('its failure is not a text');
  return {
    msgId,
    uniqueId: typeof uniqueId === 'string' ? uniqueId : undefined,
    result,
    // Empty is none, as for Python.
    failure: failure || undefined,
    ending: ending === true,
  };
}

function enveloped(outer: Record<string, unknown>): string {
  const version = outer['oslo.version'];
  const message = outer['oslo.message'];
  if (typeof version !== 'string' || !/^2\.\d+$/.test(version)) throw unreadable('its envelope is not of version 2');
  if (typeof message !== 'string') throw unreadable('its envelope holds no text');
  return message;
}

function parseRecord(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreadable('it is not a JSON object');
  return value as Record<string, unknown>;
}

const unreadable = (why: string) => new CellarError('unavailable', `the answer is not oslo.messaging's: ${why}`);
