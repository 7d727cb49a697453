/** The agent's HTTP server on its unix socket: it starts, counts its requests, and stops. */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import {Server as NetServer, type Socket} from 'node:net';
import type {Duplex} from 'node:stream';
import {CellarError} from '../core/errors.ts';
import type {Agent} from './agent.ts';
import {Connections} from './connections.ts';
import {handle} from './handle.ts';
import {errorBody, Refusal, statusOf} from './problem.ts';
import {newRequestId, requestIdOf} from './request.ts';
import {type InheritedSocket, listenOn, type SocketOptions} from './socket.ts';
import {headers, mediaTypes} from './wire.ts';

export type ApiOptions = {
  agent: Agent;
  version: string;
  /** `request` is looked at anew for each of them. */
  timeouts?: Partial<ApiTimeouts>;
  /** Milliseconds between two progress lines of one answer. */
  progressInterval?: number;
  /** Around each request, with its id. */
  within?: <V>(requestId: string, work: () => V) => V;
  /** Told of each request when its answer is out, for a log line. Must not throw. */
  onHandled?: (handled: Handled) => void;
};

/** All in milliseconds. */
export type ApiTimeouts = {
  /** For a request's headers to arrive. */
  headers: number;
  /** For its body to arrive after them. */
  body: number;
  /** For the answer: then the agent's signal aborts. As long as the slowest fill. */
  request: number;
  /** For the agent to end after its signal aborted, before the answer goes out without it. */
  grace: number;
};

const defaults: ApiTimeouts = {headers: 10_000, body: 10_000, request: 2 * 60 * 60_000, grace: 5000};

/** `path` is as it was sent, still escaped, without a query: there is none that means anything, and a token may stand in it. */
export type Handled = {
  requestId: string;
  method: string;
  path: string;
  status: number;
  ms: number;
  error?: CellarError;
};

export interface ApiServer {
  /** Requests whose answer is not out yet. */
  readonly inFlight: number;
  /** Once. */
  listen(socket: SocketOptions | InheritedSocket): Promise<void>;
  /**
   * Stops: no new connection from now on, idle ones closed at once, running requests go on until `deadline` aborts, and are
   * then `cancelled`. Resolves when the last one is answered and the socket file, if it is ours, is gone. Never rejects; may be called again
   * with a nearer deadline.
   */
  drain(deadline: AbortSignal): Promise<void>;
}

export function createApi(options: ApiOptions): ApiServer {
  const timeouts: ApiTimeouts = {
    ...defaults,
    ...options.timeouts,
    get request() {
      return options.timeouts?.request ?? defaults.request;
    },
  };
  const stop = new AbortController();
  const connections = new Connections();
  const server = createServer(serverOptions(timeouts));
  server.on('error', () => {}); // a connection that could not be accepted (EMFILE): its caller tries again
  let inFlight = 0;
  let closed: Promise<void> | undefined;

  server.on('connection', socket => connections.add(socket));
  server.on('clientError', (error, socket) => {
    if (connections.owes(socket as Socket)) socket.destroy();
    else refuse(error, socket, options.version);
  });
  server.on('request', onRequest);
  // An expectation that we do not know may be ignored; Node's own refusal would lack our headers.
  server.on('checkExpectation', onRequest);

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const {socket} = request;
    const {agent, version, progressInterval = 250} = options;
    const requestId = requestIdOf(request);
    const others = inFlight;
    inFlight += 1;
    connections.begin(socket);
    // Writing to a caller that went away: the request's signal has told already.
    response.on('error', () => {});
    const stopping = () => closed !== undefined;
    const context = {agent, version, requestId, timeouts, progressInterval, signal: stop.signal, stopping, others};
    const {within = (_, work) => work()} = options;
    const error = await within(requestId, () => handle(request, response, context));
    await connections.end(socket, response);
    inFlight -= 1;
    if (stopping()) connections.closeIdle();
    options.onHandled?.({
      requestId,
      method: request.method ?? '',
      path: (request.url ?? '').split('?', 1)[0] ?? '',
      // Of the outcome: what a caller saw who hung up, or reads lines, says less.
      status: error === undefined ? 200 : statusOf(error),
      ms: performance.now() - started,
      ...(error && {error}),
    });
  }

  return {
    get inFlight() {
      return inFlight;
    },
    listen: socket => listenOn(server, socket),
    async drain(deadline) {
      closed ??= closeServer(server);
      connections.closeIdle();
      using _ = whenAborted(deadline, () => {
        stop.abort(new CellarError('cancelled', 'the agent is stopping', {hint: 'try again when it is back'}));
        // Someone who does not read their answer cannot keep us.
        setTimeout(() => connections.closeAll(), timeouts.grace + 1000).unref();
      });
      await closed;
    },
  };
}

/** Of a server that waits for nobody longer than these timeouts say. */
export const serverOptions = (timeouts: Pick<ApiTimeouts, 'headers' | 'body'>): ServerOptions => ({
  headersTimeout: timeouts.headers,
  // A second line only: body.ts answers first, with words.
  requestTimeout: timeouts.headers + 2 * timeouts.body,
  // How late Node may notice; its default of 30 s is longer than the timeouts.
  connectionsCheckingInterval: Math.min(timeouts.headers / 4, 1000),
  // There is no host on a unix socket, and Node's own refusal would lack our headers.
  requireHostHeader: false,
});

/** The socket file goes with the listener, at once; the promise waits for the connections too. */
const closeServer = (server: Server): Promise<void> =>
  new Promise(resolve => {
    // Not http's own close: it takes an answer that is written but not yet read for an idle connection, and cuts it off.
    if (server.listening) NetServer.prototype.close.call(server, () => resolve());
    else resolve();
  });

function whenAborted(signal: AbortSignal, act: () => void): Disposable {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, {once: true});
  return {[Symbol.dispose]: () => signal.removeEventListener('abort', act)};
}

/** What never became a request: Node's parser gave up on it, or it came too slowly. Its text is not repeated. */
export function refuse(error: NodeJS.ErrnoException, socket: Duplex, version: string): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const refusal = refusals[error.code ?? ''] ?? new Refusal(400, 'usage', 'this is no HTTP request');
  const requestId = newRequestId();
  const body = `${JSON.stringify(errorBody(refusal, requestId))}\n`;
  socket.end(
    [
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
      `Content-Type: ${mediaTypes.json}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `${headers.version}: ${version}`,
      `${headers.requestId}: ${requestId}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

const refusals: Record<string, Refusal> = {
  ERR_HTTP_REQUEST_TIMEOUT: new Refusal(408, 'timeout', 'the request did not arrive in time'),
  HPE_HEADER_OVERFLOW: new Refusal(431, 'usage', 'the headers are too large'),
};
