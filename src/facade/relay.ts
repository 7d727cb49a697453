/** An answer on its way to the caller. */
import type {IncomingMessage, ServerResponse} from 'node:http';
import {endToEnd} from './headers.ts';

/** The answer as it is; `begun` are bytes of its body that were read already. Settles when nothing more will be sent. */
export async function relay(
  answer: IncomingMessage,
  response: ServerResponse,
  begun: Uint8Array[] = [],
): Promise<void> {
  writeHead(answer, response);
  for (const chunk of begun) response.write(chunk);
  response.flushHeaders(); // a body may be long in coming
  if (answer.readableEnded) response.end();
  else answer.pipe(response);
  // Half an answer must not look like a whole one: without its end the connection is of no further use.
  answer.once('close', () => {
    if (!answer.complete) breakOff(response);
  });
  if (answer.destroyed && !answer.complete) breakOff(response);
}

/** The answer's head with another body. */
export function relayWith(answer: IncomingMessage, response: ServerResponse, body: Uint8Array): void {
  writeHead(answer, response, String(body.length));
  response.end(body);
}

/** What a load balancer says when none of its servers can be reached: Nova and others try again. */
export function refuse(response: ServerResponse, why: string): void {
  const body = `<html><body><h1>503 Service Unavailable</h1>\n${why}\n</body></html>\n`;
  response.writeHead(503, {'Content-Type': 'text/html', 'Content-Length': Buffer.byteLength(body)});
  response.end(body);
}

/** Ends the connection; what was sent so far arrives. */
export function cut(response: ServerResponse): void {
  response.shouldKeepAlive = false;
  response.socket?.destroySoon();
}

/** To a caller of HTTP/1.0 the end of the connection may be the end of the body: to him it must look like a failure. */
function breakOff(response: ServerResponse): void {
  if (response.req.httpVersion === '1.0') response.socket?.resetAndDestroy();
  else cut(response);
}

function writeHead(answer: IncomingMessage, response: ServerResponse, length?: string): void {
  const {statusCode = 502, statusMessage, rawHeaders} = answer;
  const headers = endToEnd(rawHeaders, length === undefined ? {} : {'content-length': length});
  if (length !== undefined && answer.headers['content-length'] === undefined) headers.push('Content-Length', length);
  response.sendDate = false; // it has Glance's
  response.writeHead(statusCode, statusMessage, headers);
}
