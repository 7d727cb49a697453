/** Glance on this host, as far as Nova can tell: it starts, counts its requests, and stops. */
import {randomUUID} from 'node:crypto';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {type AddressInfo, Server as NetServer, type Socket} from 'node:net';
import {asCellarError, type CellarError} from '../core/errors.ts';
import type {TransportOptions} from '../http/transport.ts';
import {Downloads} from './downloads.ts';
import {requestIdIn} from './headers.ts';
import {maxHeaderSize} from './limits.ts';
import {type ListenAt, listenAt} from './listen.ts';
import {proxy} from './proxy.ts';
import {cut} from './relay.ts';
import type {ShowOptions} from './show.ts';
import {Uploads} from './uploads.ts';
import {type Servers, Upstream} from './upstream.ts';

export type FacadeOptions = ShowOptions & {
  /** Where Glance is, and how to do TLS with it. */
  servers: Servers;
  tls: TransportOptions;
  /** Connections beyond this are closed at once. */
  maxConnections: number;
  /** ms for the head of a request, from its first byte, or from the connection on. Default a minute. */
  headTimeout?: number;
  /** A monotonic clock in ms, for how long readers are remembered. */
  now?: () => number;
  /** Around each request, with its id: the caller's, or a new one. */
  within?: <V>(requestId: string, work: () => V) => V;
  /** Told of each request when its answer is out. Must not throw. */
  onPassed?: (passed: Passed) => void;
};

/** `path` without its query; `status` 0 when there was no answer. */
export type Passed = {method: string; path: string; status: number; ms: number; error?: CellarError | undefined};

export interface Facade {
  /** Requests whose answer is not out yet. */
  readonly inFlight: number;
  /** Where it listens; null before and after. */
  readonly address: AddressInfo | string | null;
  /** Once. Resolves to the port. */
  listen(at: ListenAt): Promise<number>;
  /**
   * Stops: no new connection from now on, answers that are held for a copy are 503, everything else goes on until `deadline`
   * aborts, and is then cut. Resolves when the last connection has ended. Never rejects.
   */
  drain(deadline: AbortSignal): Promise<void>;
}

/** ms that a caller's connection is kept that is not used: as long as Glance's own servers do. */
const idle = 900_000;

/** ms that a connection on which nothing was asked yet is left open when the agent stops. */
const newcomer = 2000;

export function createFacade(options: FacadeOptions): Facade {
  const {headTimeout = 60_000, within = (_, work) => work()} = options;
  const upstream = new Upstream(options.servers, options.tls);
  const uploads = new Uploads();
  const downloads = new Downloads(options.now);
  const stop = new AbortController();
  const callers = new Map<Socket, Caller>();
  const server = createServer({
    maxHeaderSize,
    keepAliveTimeout: idle,
    requestTimeout: 0, // an upload takes as long as it takes
    headersTimeout: headTimeout, // which that would turn off
    connectionsCheckingInterval: Math.min(30_000, headTimeout / 2),
    requireHostHeader: false,
  });
  server.maxConnections = options.maxConnections;
  server.on('error', () => {}); // a connection that could not be accepted (EMFILE): its caller tries again
  let inFlight = 0;

  server.on('connection', (socket: Socket) => {
    socket.setMaxListeners(0); // each request of a pipeline listens
    callers.set(socket, {asked: false, owed: 0, last: Promise.resolve()});
    socket.once('close', () => callers.delete(socket));
  });
  server.on('request', (request, response) => onRequest(request, response, false));
  server.on('checkContinue', (request, response) => onRequest(request, response, true));
  server.on('checkExpectation', (request, response) => onRequest(request, response, false));

  /** Requests of one connection are sent on one after the other: a pipeline must not overtake itself. */
  function onRequest(request: IncomingMessage, response: ServerResponse, expects: boolean): void {
    const caller = callers.get(request.socket);
    if (caller === undefined) return;
    inFlight += 1;
    caller.asked = true;
    caller.owed += 1;
    response.on('error', () => {});
    caller.last = caller.last
      .then(() => within(requestIdOf(request), () => serve(request, response, expects)))
      .finally(() => {
        inFlight -= 1;
        caller.owed -= 1;
        if (stop.signal.aborted) closeIdle(({asked}) => asked);
      });
  }

  async function serve(request: IncomingMessage, response: ServerResponse, expects: boolean): Promise<void> {
    const {socket, method = '', url = ''} = request;
    if (socket.destroyed) return;
    const started = performance.now();
    const gone = new AbortController();
    const closed = Promise.withResolvers<void>();
    const onClose = () => {
      gone.abort();
      closed.resolve();
    };
    response.once('close', onClose);
    socket.once('close', onClose);
    if (stop.signal.aborted) response.shouldKeepAlive = false;
    let error: CellarError | undefined;
    try {
      error = await proxy(request, response, {
        upstream,
        uploads,
        downloads,
        show: options,
        gone: gone.signal,
        stop: stop.signal,
        expects,
      });
      await closed.promise;
    } catch (thrown) {
      error = asCellarError(thrown);
      cut(response);
    } finally {
      socket.off('close', onClose);
      const [path = ''] = url.split('?');
      const status = response.headersSent ? response.statusCode : 0;
      options.onPassed?.({method, path, status, ms: performance.now() - started, error});
    }
  }

  function closeIdle(which: (caller: Caller) => boolean): void {
    for (const [socket, caller] of callers) if (caller.owed === 0 && which(caller)) socket.destroySoon();
  }

  return {
    get inFlight() {
      return inFlight;
    },
    get address() {
      return server.address();
    },
    async listen(at) {
      await listenAt(server, at);
      return (server.address() as AddressInfo).port;
    },
    async drain(deadline) {
      stop.abort();
      const ended = closeServer(server);
      closeIdle(({asked}) => asked);
      // Whoever has only just connected is about to ask.
      const newcomers = setTimeout(() => closeIdle(() => true), newcomer);
      const cutAll = () => {
        for (const socket of callers.keys()) socket.destroy();
      };
      if (deadline.aborted) cutAll();
      else deadline.addEventListener('abort', cutAll, {once: true});
      await ended;
      clearTimeout(newcomers);
      deadline.removeEventListener('abort', cutAll);
      upstream.close();
    },
  };
}

/** For our own work and lines only: what goes to Glance is what the caller sent. */
const requestIdOf = ({headers}: IncomingMessage): string => requestIdIn(headers) ?? `req-${randomUUID()}`;

type Caller = {
  asked: boolean;
  /** Answers that are not out yet. */
  owed: number;
  last: Promise<void>;
};

/** Not http's own close: it takes an answer that is written but not yet read for an idle connection, and cuts it off. */
const closeServer = (server: Server): Promise<void> =>
  new Promise(resolve => {
    if (server.listening) NetServer.prototype.close.call(server, () => resolve());
    else resolve();
  });
