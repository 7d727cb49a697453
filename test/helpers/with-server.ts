/** A real HTTP server for one test: `await using server = await startServer(...)` closes it whatever happens. */
import {once} from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type {AddressInfo} from 'node:net';
import {text} from 'node:stream/consumers';

export type Seen = {method: string; path: string; headers: http.IncomingHttpHeaders; body: string};

/** `count` is 1 for the first request with this method and path. */
export type Handler = (request: Seen & {count: number}, response: http.ServerResponse) => void;

export type TestServer = AsyncDisposable & {
  url: string;
  /** Every request so far, its body read. */
  seen: Seen[];
  /** `GET /path` of every request so far. */
  lines: () => string[];
  /** Connections that are open now. */
  connections: () => Promise<number>;
};

export async function startServer(handler: Handler, tls?: {cert: string; key: string}): Promise<TestServer> {
  const seen: Seen[] = [];
  const counts = new Map<string, number>();
  const listener = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const {method = '', url: path = '', headers} = request;
    const one = {method, path, headers, body: await text(request)};
    const line = `${method} ${path}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
    seen.push(one);
    handler({...one, count: counts.get(line) ?? 0}, response);
  };
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    lines: () => seen.map(({method, path}) => `${method} ${path}`),
    connections: () =>
      new Promise((resolve, reject) => server.getConnections((error, n) => (error ? reject(error) : resolve(n)))),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** Answers with JSON. */
export function sendJson(
  response: http.ServerResponse,
  status: number,
  body: unknown,
  headers: http.OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, {'content-type': 'application/json', ...headers}).end(JSON.stringify(body));
}

/** An address on which nothing listens. */
export async function deadUrl(): Promise<string> {
  const server = await startServer(() => {});
  await server[Symbol.asyncDispose]();
  return server.url;
}
