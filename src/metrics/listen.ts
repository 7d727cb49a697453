/** GET /metrics over TCP, for Prometheus: nothing else is answered, and nothing is told that the metrics do not hold. */
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import {CellarError} from '../core/errors.ts';
import type {Exposition} from './meters.ts';

export interface MetricsServer {
  /** Once. Fails with `conflict` when somebody else listens there, with `config` when it cannot be had for another reason. */
  listen(at: {host: string; port: number}): Promise<void>;
  /** At once, scrapes that run included. Never rejects. */
  close(): Promise<void>;
}

export function createMetricsServer(expose: () => Promise<Exposition>): MetricsServer {
  const server = createServer({headersTimeout: 10_000, requestTimeout: 10_000, keepAliveTimeout: 120_000});
  server.maxConnections = 32;
  server.on('error', () => {}); // a connection that could not be accepted (EMFILE): Prometheus comes again
  server.on('request', (request, response) => void answer(request, response, expose));
  return {
    listen: at =>
      new Promise((resolve, reject) => {
        const onError = (error: NodeJS.ErrnoException) => reject(cannotListen(at, error));
        server.once('error', onError);
        server.listen(at, () => {
          server.off('error', onError);
          resolve();
        });
      }),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
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

function cannotListen({host, port}: {host: string; port: number}, error: NodeJS.ErrnoException): CellarError {
  const object = `${host}:${port}`;
  const taken = error.code === 'EADDRINUSE';
  return new CellarError(taken ? 'conflict' : 'config', `metrics cannot be served on ${object}: ${error.message}`, {
    hint: taken ? '`ss -ltnp` shows who listens there; see metrics_listen' : 'check metrics_listen',
    object,
    cause: error,
  });
}
