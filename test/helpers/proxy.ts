/** A proxy in front of a real server, which passes everything through except what a test wants to go wrong. */
import http from 'node:http';
import type {AddressInfo} from 'node:net';
import {pipeline} from 'node:stream';

export type ProxyRequest = {method: string; path: string; count: number};

/** Answers itself and returns true, or returns false: then the real server answers. */
export type Fault = (request: ProxyRequest, response: http.ServerResponse, upstream: (alter: Alter) => void) => boolean;

/** Stands between the real server's answer and the client. */
export type Alter = (answer: http.IncomingMessage, response: http.ServerResponse) => void;

export type Proxy = AsyncDisposable & {
  url: string;
  /** `GET /path` of everything that came, in order. */
  seen: string[];
  /** Their headers. */
  heads: http.IncomingHttpHeaders[];
  /** What happens from now on; undefined: everything passes. */
  fault: Fault | undefined;
};

export async function startProxy(target: string): Promise<Proxy> {
  const counts = new Map<string, number>();
  const seen: string[] = [];
  const heads: http.IncomingHttpHeaders[] = [];
  const server = http.createServer((request, response) => {
    const {method = '', url: path = ''} = request;
    const key = `${method} ${path}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    seen.push(key);
    heads.push(request.headers);
    const upstream = (alter: Alter) => forward(target, request, response, alter);
    if (!proxy.fault?.({method, path, count: counts.get(key) ?? 0}, response, upstream)) upstream(pass);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    heads,
    fault: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
  return proxy;
}

const pass: Alter = (answer, response) => {
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  pipeline(answer, response, () => {});
};

function forward(target: string, request: http.IncomingMessage, response: http.ServerResponse, alter: Alter): void {
  const {hostname, port} = new URL(target);
  const out = http.request({
    hostname,
    port,
    method: request.method,
    path: request.url,
    headers: {...request.headers, host: `${hostname}:${port}`},
    agent: false,
  });
  out.on('response', answer => alter(answer, response));
  out.on('error', () => response.destroy());
  response.on('close', () => out.destroy());
  request.pipe(out);
}
