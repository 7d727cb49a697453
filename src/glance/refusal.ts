/** An answer that is not the one hoped for, as an error that says what to do. */
import {CellarError, type ErrorKind} from '../core/errors.ts';
import type {TextAnswer} from '../http/exchange.ts';
import {gist, scrub, showUrl} from '../http/failure.ts';

type Refusal = TextAnswer & {url: string; secrets: string[]};

/** The error for a status: its kind, and a message with what Glance wrote. */
export function refusal(answer: Refusal, object: string | undefined): CellarError {
  const {status, statusLine, headers, text, url, secrets} = answer;
  const {kind, hint} = meaning(status);
  const location = status >= 300 && status < 400 ? `, a redirect to ${showUrl(headers.location ?? '')}` : '';
  const wait = headers['retry-after'] === undefined ? '' : `, to be tried again after ${gist(headers['retry-after'])}`;
  const said = gist(scrub(text, secrets));
  const message = `GET ${showUrl(url)}: ${statusLine}${location}${wait}${said ? ` (${said})` : ''}`;
  return new CellarError(kind, message, {
    ...(hint === undefined ? {} : {hint}),
    ...(object === undefined ? {} : {object}),
  });
}

/** The JSON of an answer of status 200; `unavailable` when it is none: something else than Glance answered. */
export function jsonOf({text, url, secrets}: Refusal, object: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const said = gist(scrub(text, secrets));
    throw new CellarError('unavailable', `GET ${showUrl(url)}: the answer is not JSON (${said})`, {
      object,
      hint: 'check that the endpoint is Glance and no proxy answers in its place',
    });
  }
}

function meaning(status: number): {kind: ErrorKind; hint?: string} {
  if (status === 204)
    return {
      kind: 'corrupt',
      hint: 'Glance has the record but no data: its store lost them, or they were never uploaded',
    };
  if (status === 401)
    return {kind: 'unauthorized', hint: 'get a new token; a token of [service_user] is renewed by itself'};
  if (status === 403) return {kind: 'forbidden', hint: "the image may be deactivated, or Glance's policy says no"};
  if (status === 404 || status === 410) return {kind: 'not-found', hint: 'it is deleted, or the token may not see it'};
  if (status >= 300 && status < 400)
    return {kind: 'unavailable', hint: 'redirects are not followed: set endpoint_override to where Glance is'};
  return {kind: 'unavailable'};
}
