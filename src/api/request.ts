/** What a request says in its headers. */
import {randomUUID} from 'node:crypto';
import type {IncomingMessage} from 'node:http';
import type {Requester} from '../core/image.ts';
import {token} from './names.ts';
import {parse} from './parse.ts';
import {Refusal} from './problem.ts';
import {headers, mediaTypes} from './wire.ts';

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name.toLowerCase()];
  return Array.isArray(value) ? value.join(', ') : value;
};

/** The form that oslo.middleware accepts from outside; anything else is replaced, never refused, as there. */
const requestId = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The caller's request id, or a new one: the same id goes on to Glance, into the logs and back in the answer. */
export function requestIdOf(request: IncomingMessage): string {
  const given = header(request, headers.requestId);
  return given !== undefined && requestId.test(given) ? given : newRequestId();
}

export const newRequestId = (): string => `req-${randomUUID()}`;

/** Whose rights the request uses, as far as its headers say. */
export function requesterOf(request: IncomingMessage, id: string): Requester {
  const given = header(request, headers.token);
  return {requestId: id, ...(given !== undefined && {token: parse(token, given, headers.token)})};
}

/** A page in a browser that reaches the socket (through a proxy on localhost) must not drive the daemon. */
export function refuseBrowsers(request: IncomingMessage): void {
  const name = ['Origin', 'Referer'].find(one => header(request, one) !== undefined);
  if (name !== undefined) throw new Refusal(403, 'forbidden', `requests with the header ${name} are refused`);
}

/** Does the caller ask for progress, line by line? Its preference among several types is not weighed, a q of 0 is no. */
export const wantsLines = (request: IncomingMessage): boolean =>
  (header(request, 'Accept') ?? '').split(',').some(range => {
    const [type, ...parameters] = range.split(';').map(part => part.trim().toLowerCase());
    return type === mediaTypes.ndjson && !parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter));
  });
