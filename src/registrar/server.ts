/** cellar-registrar's HTTPS server: who may ask is looked at first, then what is asked. */
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {createServer as createTlsServer} from 'node:https';
import {Server as NetServer, type Socket} from 'node:net';
import type {SecureContextOptions} from 'node:tls';
import {type Answer, answerOn} from '../api/answer.ts';
import {readBody, refuseBody} from '../api/body.ts';
import {Connections} from '../api/connections.ts';
import {parse} from '../api/parse.ts';
import {failure, Refusal, statusOf} from '../api/problem.ts';
import {refuseBrowsers, requestIdOf} from '../api/request.ts';
import {refuse, serverOptions} from '../api/server.ts';
import {headers} from '../api/wire.ts';
import {type Address, formatAddress} from '../config/names.ts';
import {CellarError} from '../core/errors.ts';
import {listenFailure} from '../core/listening.ts';
import {type Identification, identify} from './identify.ts';
import type {Caller} from './policy.ts';
import {peerOf, Rate} from './rate.ts';
import type {Change, Registrar} from './registrar.ts';
import * as wire from './wire.ts';

/** Milliseconds: for the headers, for the body after them, for the answer. */
export type RegistrarTimeouts = {headers: number; body: number; request: number};

export type RegistrarServerOptions = {
  registrar: Pick<Registrar, 'findCell' | 'mapHost' | 'showHost'>;
  identification: Identification;
  version: string;
  /** Certificate, key, and the authorities of client certificates; undefined: plain HTTP. */
  tls: SecureContextOptions | undefined;
  timeouts: RegistrarTimeouts;
  /** Requests a minute of one peer; 0: any number. */
  rateLimit: number;
  maxConnections: number;
  maxRequests: number;
  onChange(change: Change, by: Handled): void;
  onHandled(handled: Handled): void;
};

/** A request, for a log line. `by` is undefined as long as nobody knows. */
export type Handled = {
  requestId: string;
  peer: string;
  by: string | undefined;
  method: string;
  /** The path as far as it is one of ours: what else comes is not repeated. */
  path: string;
  host: string | undefined;
  status: number;
  ms: number;
  error?: CellarError;
};

export interface RegistrarServer {
  /** Resolves the address: the port is chosen where 0 was asked for. `unavailable`: the address is not there yet. */
  listen(address: Address): Promise<Address>;
  /** Requests whose answer is not out yet. */
  readonly inFlight: number;
  /** New certificates for new connections. */
  renew(tls: SecureContextOptions): void;
  /** No new request; resolves when the last one is answered, or cut off when `deadline` aborts. */
  drain(deadline: AbortSignal): Promise<void>;
}

export function createRegistrarServer(options: RegistrarServerOptions): RegistrarServer {
  const {timeouts, tls, version} = options;
  const rate = new Rate(options.rateLimit);
  const connections = new Connections();
  const stop = new AbortController();
  const http = {...serverOptions(timeouts), requireHostHeader: true};
  const server =
    tls === undefined
      ? createServer(http)
      : createTlsServer({
          ...http,
          ...tls,
          minVersion: 'TLSv1.2',
          handshakeTimeout: timeouts.headers,
          // Whether one is needed is for identify() to say, in words.
          requestCert: tls.ca !== undefined,
          rejectUnauthorized: false,
        });
  server.maxConnections = options.maxConnections;
  let busy = 0;
  let closed: Promise<void> | undefined;

  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => connections.add(socket));
  server.on('clientError', (error, socket) => {
    if (connections.owes(socket as Socket)) socket.destroy();
    else refuse(error, socket, version);
  });
  server.on('request', onRequest);
  server.on('checkExpectation', onRequest);

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const {socket} = request;
    const handled: Handled = {
      requestId: requestIdOf(request),
      peer: peerOf(socket.remoteAddress),
      by: undefined,
      method: request.method ?? '',
      path: '',
      host: undefined,
      status: 200,
      ms: 0,
    };
    connections.begin(socket);
    response.on('error', () => {});
    const secrets = [request.headers[headers.token.toLowerCase()] ?? []].flat().filter(({length}) => length >= 8);
    const close = () => closed !== undefined || !request.complete;
    const answer = answerOn(response, {version, requestId: handled.requestId, progressInterval: 0, secrets, close});
    const life = lifetime(request, stop.signal, timeouts.request);
    busy += 1;
    try {
      await serve(request, answer, handled, life.signal);
    } catch (thrown) {
      const error = failure(thrown, life.signal);
      Object.assign(handled, {error, status: statusOf(error)});
      answer.fail(error);
    }
    life[Symbol.dispose]();
    busy -= 1;
    await connections.end(socket, response);
    if (closed !== undefined) connections.closeIdle();
    handled.ms = performance.now() - started;
    options.onHandled(handled);
  }

  async function serve(request: IncomingMessage, answer: Answer, handled: Handled, signal: AbortSignal): Promise<void> {
    const route = routeOf(request.method ?? '', request.url ?? '');
    handled.path = route.path;
    if (route.act === 'health') {
      refuseBody(request);
      return answer.json({schema: 1, state: 'ok'});
    }
    if (closed !== undefined) throw new CellarError('unavailable', 'cellar-registrar is stopping');
    const wait = rate.take(handled.peer, performance.now());
    if (wait > 0) throw tooMany(429, `${handled.peer} asks too often`, wait);
    if (busy > options.maxRequests) throw tooMany(503, 'too many requests are worked on', 1000);
    refuseBrowsers(request);
    const caller = await identify(request, options.identification, {reads: route.act === 'show'}, signal);
    handled.by = caller.by;
    answer.json(await perform(route, request, caller, handled, signal));
  }

  async function perform(
    {act, host}: Exclude<Route, {act: 'health'}>,
    request: IncomingMessage,
    caller: Caller,
    handled: Handled,
    signal: AbortSignal,
  ): Promise<object> {
    const {registrar} = options;
    const asked = {caller, signal, audit: (change: Change) => options.onChange(change, handled)};
    if (act === 'show') {
      refuseBody(request);
      handled.host = parse(wire.hostName, host, 'the host');
      return registrar.showHost(handled.host, asked);
    }
    const body = await readBody(request, timeouts.body, signal);
    if (act === 'find') {
      const ask = parse(wire.cellRequest, body, 'the host');
      handled.host = ask.host;
      return registrar.findCell(ask, asked);
    }
    const ask = parse(wire.hostRequest, body, 'the host');
    handled.host = ask.host;
    return registrar.mapHost(ask, asked);
  }

  return {
    listen: address => listen(server, address),
    get inFlight() {
      return busy;
    },
    renew: context => {
      if ('setSecureContext' in server) server.setSecureContext(context);
    },
    async drain(deadline) {
      closed ??= new Promise(resolve => NetServer.prototype.close.call(server, () => resolve()));
      connections.closeIdle();
      const end = () => {
        stop.abort(new CellarError('cancelled', 'cellar-registrar is stopping', {hint: 'try again'}));
        setTimeout(() => connections.closeAll(), 1000).unref();
      };
      if (deadline.aborted) end();
      else deadline.addEventListener('abort', end, {once: true});
      await closed;
      deadline.removeEventListener('abort', end);
    },
  };
}

/** Aborts when the caller hangs up, the request takes too long, or the server ends it. */
function lifetime({socket}: IncomingMessage, stop: AbortSignal, timeout: number): Disposable & {signal: AbortSignal} {
  const controller = new AbortController();
  const end = (error: unknown) => controller.abort(error);
  const onClose = () => end(new CellarError('cancelled', 'the caller went away'));
  const onStop = () => end(stop.reason);
  const late = new CellarError('timeout', `the request was not done within ${timeout / 1000} s`, {hint: 'try again'});
  const timer = setTimeout(end, timeout, late);
  socket.once('close', onClose);
  stop.addEventListener('abort', onStop, {once: true});
  if (stop.aborted) onStop();
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      socket.off('close', onClose);
      stop.removeEventListener('abort', onStop);
    },
  };
}

type Route =
  | {act: 'health'; path: string}
  | {act: 'find' | 'map'; path: string; host?: undefined}
  | {act: 'show'; path: string; host: string};

/** The few paths there are, each with its one method. */
function routeOf(method: string, target: string): Route {
  const {allow, route} = at(target);
  if (method === allow) return route;
  throw new Refusal(405, 'usage', `this path takes ${allow}, not ${method}`, {headers: {Allow: allow}});
}

function at(target: string): {allow: string; route: Route} {
  if (target === '/healthz') return {allow: 'GET', route: {act: 'health', path: target}};
  if (target === '/v1/cell') return {allow: 'POST', route: {act: 'find', path: target}};
  if (target === '/v1/hosts') return {allow: 'POST', route: {act: 'map', path: target}};
  const [, host] = /^\/v1\/hosts\/([^/?]+)$/.exec(target) ?? [];
  if (host === undefined) throw new CellarError('not-found', 'cellar-registrar has no such path');
  return {allow: 'GET', route: {act: 'show', path: '/v1/hosts/{host}', host: decoded(host)}};
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new CellarError('usage', 'the path holds a broken percent escape');
  }
}

const tooMany = (status: number, message: string, wait: number) =>
  new Refusal(status, 'unavailable', message, {
    hint: 'try again later',
    headers: {'Retry-After': String(Math.ceil(wait / 1000))},
  });

function listen(server: Server, {host, port}: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const kind = listenFailure(error.code);
      const hint = kind === 'unavailable' ? '`ip address` shows the addresses that this host has; ' : '';
      reject(
        new CellarError(kind, `cannot listen on ${formatAddress({host, port})}: ${error.message}`, {
          hint: `${hint}see [registrar] listen`,
          cause: error,
        }),
      );
    };
    server.once('error', failed);
    server.listen({host, port}, () => {
      server.off('error', failed);
      const bound = server.address();
      resolve({host, port: typeof bound === 'object' && bound !== null ? bound.port : port});
    });
  });
}
