/** GET /metrics over TCP, for Prometheus: nothing else is answered, and nothing is told that the metrics do not hold. */
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {CellarError} from '../core/errors.ts';
import {listenFailure} from '../core/listening.ts';
import type {Exposition} from './meters.ts';

export type MetricsAddress = {host: string; port: number};

/** What comes of listening. `failed` is called for each new reason, not for each try. */
export type ListenTold = {listening(): void; failed(error: CellarError): void};

export interface MetricsServer {
  /**
   * Listens, and tries again until it does or is closed: nobody is to be without disks for want of metrics. Once. Resolves after
   * the first try, and never rejects.
   */
  listen(at: MetricsAddress, told: ListenTold): Promise<void>;
  /** At once, scrapes that run included. Never rejects. */
  close(): Promise<void>;
}

/** ms before it is tried again: doubled each time, up to the last. */
const pauses = {first: 1000, last: 60_000};

export function createMetricsServer(expose: () => Promise<Exposition>): MetricsServer {
  const server = createServer({headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 120_000});
  server.maxConnections = 32;
  server.on('error', () => {}); // a connection that could not be accepted (EMFILE): Prometheus comes again
  server.on('request', (request, response) => void answer(request, response, expose));
  let again: NodeJS.Timeout | undefined;
  let closed = false;

  async function tryOn(at: MetricsAddress, told: ListenTold, pause: number, before?: string): Promise<void> {
    const error = await bind(server, at);
    if (closed) return void server.close();
    if (error === undefined) return told.listening();
    const failure = cannotListen(at, error);
    if (failure.message !== before) told.failed(failure);
    const next = Math.min(pause * 2, pauses.last);
    again = setTimeout(() => void tryOn(at, told, next, failure.message), pause);
  }

  return {
    listen: (at, told) => tryOn(at, told, pauses.first),
    close: () =>
      new Promise(resolve => {
        closed = true;
        clearTimeout(again);
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Resolves why it could not. */
function bind(server: Server, at: MetricsAddress): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise(resolve => {
    const end = (error?: NodeJS.ErrnoException) => {
      server.off('error', end);
      server.off('listening', onListening);
      resolve(error);
    };
    const onListening = () => end();
    server.once('error', end);
    server.once('listening', onListening);
    server.listen(at);
  });
}

async function answer(
  {method, url}: IncomingMessage,
  response: ServerResponse,
  expose: () => Promise<Exposition>,
): Promise<void> {
  const refuse = (status: number, headers: Record<string, string> = {}) =>
    void response.writeHead(status, {Connection: 'close', ...headers}).end();
  if (url?.split('?')[0] !== '/metrics') return refuse(404);
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, {Allow: 'GET, HEAD'});
  try {
    const {type, text} = await expose();
    response.writeHead(200, {'Content-Type': type, 'Content-Length': Buffer.byteLength(text)});
    response.end(method === 'HEAD' ? undefined : text);
  } catch {
    refuse(500);
  }
}

function cannotListen({host, port}: MetricsAddress, error: NodeJS.ErrnoException): CellarError {
  const object = `${host}:${port}`;
  const kind = listenFailure(error.code);
  return new CellarError(kind, `metrics cannot be served on ${object}: ${error.message}`, {
    hint: hints[kind],
    object,
    cause: error,
  });
}

const hints = {
  conflict: '`ss -ltnp` shows who listens there; see metrics_listen',
  unavailable: '`ip address` shows the addresses that this host has; see metrics_listen',
  config: 'check metrics_listen',
};
