/** A real server on a real socket, and HTTP to it with nothing of ours in between. */
import {mkdtemp, rm} from 'node:fs/promises';
import {request as httpRequest, type IncomingHttpHeaders} from 'node:http';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import type {Agent} from '../../src/api/agent.ts';
import {type ApiOptions, type ApiServer, createApi, type Handled} from '../../src/api/server.ts';
import {fakeAgent, type Seen} from './fake-agent.ts';

export type Answer = {status: number; headers: IncomingHttpHeaders; text: string; json: unknown};
export type Ask = {headers?: Record<string, string>; body?: string};

export type Fixture = {
  socket: string;
  directory: string;
  server: ApiServer;
  seen: Seen[];
  handled: Handled[];
  ask(method: string, path: string, ask?: Ask): Promise<Answer>;
  /** Sends the text as it is, and resolves to all that comes back until the connection closes. */
  raw(text: string): Promise<string>;
};

/** Runs `body` against a server over a scripted agent; the server is drained and its directory removed whatever happens. */
export async function withServer(
  script: Partial<Agent>,
  body: (fixture: Fixture) => Promise<void>,
  options: Partial<Omit<ApiOptions, 'agent'>> = {},
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cellar-api-'));
  const socket = join(directory, 'agent.sock');
  const agent = fakeAgent(script);
  const handled: Handled[] = [];
  const server = createApi({agent, version: '9.9.9', onHandled: one => handled.push(one), ...options});
  await server.listen({path: socket, mode: 0o660});
  try {
    await body({
      socket,
      directory,
      server,
      seen: agent.seen,
      handled,
      ask: (method, path, ask) => send(socket, method, path, ask),
      raw: bytes => sendRaw(socket, bytes),
    });
  } finally {
    await server.drain(AbortSignal.abort());
    await rm(directory, {recursive: true});
  }
}

export function send(socket: string, method: string, path: string, {headers = {}, body}: Ask = {}): Promise<Answer> {
  const type: Record<string, string> =
    body === undefined
      ? {}
      : // Node's client gives the body of a DELETE no length by itself.
        {'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body))};
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({socketPath: socket, method, path, headers: {...type, ...headers}}, async incoming => {
      const received = await text(incoming).catch(reject);
      if (typeof received !== 'string') return;
      let json: unknown;
      try {
        json = JSON.parse(received);
      } catch {}
      resolve({status: incoming.statusCode ?? 0, headers: incoming.headers, text: received, json});
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

export async function sendRaw(socket: string, bytes: string): Promise<string> {
  const connection = connect(socket);
  connection.on('error', () => {});
  connection.write(bytes);
  return text(connection);
}

/** Polls until it holds: for what becomes true on another connection. Fails with the condition's own text. */
export async function eventually(condition: () => boolean, ms = 5000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`);
    await sleep(5);
  }
}
