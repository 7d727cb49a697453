/** The way to Glance: which server, over which connection, and what is tried again. */
import http, {type ClientRequest, type IncomingMessage} from 'node:http';
import https from 'node:https';
import type {Socket} from 'node:net';
import {asCellarError, CellarError} from '../core/errors.ts';
import {failure, showUrl} from '../http/failure.ts';
import {isPassing} from '../http/retry.ts';
import {type Agents, agentsOf, type TransportOptions} from '../http/transport.ts';
import {endToEnd, hasHeader} from './headers.ts';
import {maxHeaderSize} from './limits.ts';
import {Whereabouts} from './whereabouts.ts';

/** Glance's servers, the one to ask first in front: addresses without /v2, perhaps with a path. */
export interface Servers {
  list(signal: AbortSignal): Promise<string[]>;
  /** It could not be reached, hung up, or says itself that it cannot answer: the others come first from now on. */
  avoid(server: string): void;
}

export type SendOptions = {
  /** Ends the request, and its answer. */
  signal: AbortSignal;
  /** New values for headers of the request, by lower-case name. */
  change?: Record<string, string>;
  /** Glance says 100 Continue. */
  onContinue?: () => void;
};

/** Of the answer the head is there. `unanswered`: a server was reached, and hung up. `unreachable`: none was reached, and no body was taken. */
export type Reply =
  | {answer: IncomingMessage; unreachable?: undefined; unanswered?: undefined}
  | {answer?: undefined; unreachable: CellarError; unanswered?: undefined}
  | {answer?: undefined; unreachable?: undefined; unanswered: CellarError};

/** ms that a connection is kept that nobody uses. */
const idle = 30_000;

/** ms of silence after which a connection in use is probed, as keystoneauth does: the server's host may be gone. */
const probed = 60_000;

export class Upstream {
  readonly #servers: Servers;
  /** Connections that are used again, and such that are not. */
  readonly #pooled: Agents;
  readonly #fresh: Agents;
  /** ms for a connection, TLS included. */
  readonly #connectTimeout: number;
  /** Of the connections that are open: our end, and where they lead. */
  readonly #ends = new Set<string>();
  readonly #whereabouts: Whereabouts;

  /** `config` when a file of the TLS options cannot be used. */
  constructor(servers: Servers, tls: TransportOptions) {
    this.#servers = servers;
    this.#whereabouts = new Whereabouts(signal => servers.list(signal));
    this.#pooled = agentsOf(tls, {keepAlive: true, timeout: idle, maxFreeSockets: 16});
    this.#fresh = agentsOf(tls, {keepAlive: false});
    this.#connectTimeout = (tls.connect_timeout || 10) * 1000;
  }

  /**
   * Sends the request on, its body as it comes in, and settles with the head of the answer, whatever its status. A server that
   * cannot be reached is passed over; one that was reached and did not answer may have done something, and nobody else is asked
   * the same. Never rejects.
   */
  async send(request: IncomingMessage, options: SendOptions): Promise<Reply> {
    if (isUnclear(request)) return {unanswered: unclear(request)};
    try {
      let last = new CellarError('config', 'there is no server to ask for Glance');
      for (const server of await this.#whereabouts.list(options.signal)) {
        const sent = await this.#sendTo(server, request, options);
        // Who asks again meets the next server: what keeps this one from answering may be behind it, and stay.
        if (isBroken(sent) && !options.signal.aborted) this.#servers.avoid(server);
        if (sent.answer !== undefined) return sent;
        last = told(request, server, sent.error, options.signal);
        if (sent.reached || options.signal.aborted) return {unanswered: last};
      }
      return {unreachable: last};
    } catch (error) {
      return {unreachable: asCellarError(error)};
    }
  }

  /** Did we make this connection ourselves? Then what is taken for Glance leads back to us, under whatever name. */
  isOurs({remoteAddress, remotePort, localPort}: Socket): boolean {
    return this.#ends.has(endsOf(remoteAddress, remotePort, localPort));
  }

  close(): void {
    this.#whereabouts.close();
    for (const {http: plain, https: secure} of [this.#pooled, this.#fresh]) {
      plain.destroy();
      secure.destroy();
    }
  }

  readonly #onConnected = (socket: Socket): void => {
    const end = endsOf(socket.localAddress, socket.localPort, socket.remotePort);
    if (this.#ends.has(end)) return; // it is used again
    this.#ends.add(end);
    socket.once('close', () => this.#ends.delete(end));
  };

  /**
   * A connection that was kept may have been closed by Glance in the same moment. Then the request is sent again over a new
   * one; what changes something is not sent over such a connection in the first place.
   */
  async #sendTo(server: string, request: IncomingMessage, options: SendOptions): Promise<Sent> {
    const how = {...options, connectTimeout: this.#connectTimeout, onConnected: this.#onConnected};
    const mayRepeat = (request.method === 'GET' || request.method === 'HEAD') && !hasBody(request);
    if (mayRepeat) {
      const sent = await sendOnce(server, request, this.#pooled, how);
      if (sent.answer !== undefined || !sent.reused || options.signal.aborted) return sent;
    }
    return sendOnce(server, request, this.#fresh, how);
  }
}

/** `reached`: the request, or a part of it, may have got there. `reused`: the connection was an old one. */
type Sent = {answer: IncomingMessage} | {answer?: undefined; error: Error; reached: boolean; reused: boolean};

/** 429 is about the caller, and so may be what is below 500. */
const isBroken = ({answer}: Sent): boolean =>
  answer === undefined || (answer.statusCode !== 429 && isPassing(answer.statusCode ?? 0));

type Connecting = {connectTimeout: number; onConnected: (socket: Socket) => void};

function sendOnce(
  server: string,
  request: IncomingMessage,
  agents: Agents,
  {signal, change = {}, onContinue, connectTimeout, onConnected}: SendOptions & Connecting,
): Promise<Sent> {
  const {protocol, hostname, port, host, pathname} = new URL(server);
  const secure = protocol === 'https:';
  const out: ClientRequest = (secure ? https : http).request({
    agent: secure ? agents.https : agents.http,
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port,
    method: request.method,
    path: pathname.replace(/\/+$/, '') + pathOf(request.url ?? '/'),
    headers: headersFor(request, {...change, host}),
    maxHeaderSize,
  });
  const end = () => out.destroy();
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, {once: true});
  out.once('close', () => signal.removeEventListener('abort', end));
  const slow = setTimeout(() => out.destroy(noConnection(connectTimeout)), connectTimeout);
  out.once('close', () => clearTimeout(slow));
  if (onContinue !== undefined) out.once('continue', onContinue);
  return new Promise(resolve => {
    let reached = false;
    // Not a byte of the body is taken before there is a connection: then it can still go to another server.
    whenConnected(out, secure, socket => {
      clearTimeout(slow);
      onConnected(socket);
      reached = true;
      if (hasBody(request)) request.pipe(out);
      else out.end();
    });
    out.on('error', error => {
      request.unpipe(out);
      resolve({error, reached, reused: out.reusedSocket});
    });
    out.once('response', answer => {
      answer.on('error', () => {}); // that it broke off is seen by its not being complete
      resolve({answer});
    });
    out.once('close', () => {
      // Glance may answer before it has taken all of the body; many callers send all of it before they read.
      if (reached) request.unpipe(out).resume();
      resolve({error: new Error('the connection was closed without an answer'), reached, reused: out.reusedSocket});
    });
  });
}

/**
 * Our end of a connection, and the port it leads to: to another port of the same host the system may give the same end once more.
 * An IPv4 address is the same in an IPv6 one.
 */
const endsOf = (address = '', port = 0, to = 0): string => `${address.replace(/^::ffff:/i, '')} ${port} ${to}`;

const noConnection = (ms: number): Error =>
  Object.assign(new Error(`no connection within ${ms} ms`), {code: 'ETIMEDOUT'});

function whenConnected(out: ClientRequest, secure: boolean, act: (socket: Socket) => void): void {
  out.once('socket', (socket: Socket) => {
    socket.setKeepAlive(true, probed);
    if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', () => act(socket));
    else act(socket);
  });
}

/** Framed as it came. Without either length or coding there is no body, which Node must be told for POST and the like. */
function headersFor(request: IncomingMessage, change: Record<string, string>): string[] {
  const {rawHeaders, headers, method = ''} = request;
  const coding = headers['transfer-encoding'];
  const sent = endToEnd(rawHeaders, {...change, ...(coding !== undefined && {'transfer-encoding': coding})});
  if (!hasHeader(rawHeaders, 'host')) sent.unshift('Host', change['host'] ?? '');
  const bare = coding === undefined && headers['content-length'] === undefined;
  if (bare && !['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'].includes(method)) sent.push('Content-Length', '0');
  return sent;
}

/** `GET http://host/path` is for proxies, and means the same. */
const pathOf = (url: string): string => url.replace(/^https?:\/\/[^/?#]*/i, '') || '/';

export const hasBody = ({headers}: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * A coding that is not known to all, or several: two servers may see two ends of such a body. Or several hosts: all of them would
 * be Glance's. Neither is sent on.
 */
const isUnclear = ({headers, rawHeaders}: IncomingMessage): boolean =>
  (headers['transfer-encoding'] ?? 'chunked').toLowerCase() !== 'chunked' ||
  rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length > 1;

const unclear = ({method}: IncomingMessage): CellarError =>
  new CellarError('usage', `a ${method} with two hosts, or another Transfer-Encoding than chunked, was hung up on`);

function told({method}: IncomingMessage, server: string, error: Error, signal: AbortSignal): CellarError {
  const {kind, message, cause} = failure(error, signal);
  return new CellarError(kind, `${method} at ${showUrl(server)}: ${message}`, {cause});
}
