/** A registrar's server on loopback, over Nova's tables in memory, and requests to it. */
import http from 'node:http';
import https from 'node:https';
import {text} from 'node:stream/consumers';
import type {SecureContextOptions} from 'node:tls';
import pino from 'pino';
import {Session} from '../../src/keystone/session.ts';
import {TokenValidator} from '../../src/keystone/validate.ts';
import {ApiDatabase} from '../../src/nova/api-database.ts';
import {CellDatabase} from '../../src/nova/cell-database.ts';
import type {Identification} from '../../src/registrar/identify.ts';
import {createRegistrarMeters, type RegistrarMeters} from '../../src/registrar/metrics.ts';
import {observeRequests} from '../../src/registrar/observe.ts';
import {Registrar} from '../../src/registrar/registrar.ts';
import {createRegistrarServer, type RegistrarServerOptions} from '../../src/registrar/server.ts';
import {cellarUser, sendToken} from '../helpers/fake-keystone.ts';
import {sendJson, startServer, type TestServer} from '../helpers/with-server.ts';
import {ApiTables, CellTables, cellRow, conductorOf, type Seen} from './nova.ts';

export const uuid = 'aaaaaaaa-0000-4000-8000-000000000001';
export const host = {host: 'compute-1', node: 'compute-1.example', uuid, cell: 'cell1'};

/** Tokens that the Keystone of these tests knows, and what they are good for. */
export const tokens = {service: 's3cr3t-of-a-service', member: 's3cr3t-of-a-member', admin: 's3cr3t-of-an-admin'};

/** `refuses`: our own login there. */
export function startKeystone({refuses = false} = {}): Promise<TestServer> {
  return startServer(({method, path, headers, count}, response) => {
    if (method === 'POST' && refuses) return sendJson(response, 401, {error: {message: 'The request you have made'}});
    if (method === 'POST') return sendToken(response, count);
    if (!path.endsWith('/v3/auth/tokens?nocatalog=1')) return sendJson(response, 400, {});
    if (!String(headers['x-auth-token']).startsWith('s3cr3t-token-')) return sendJson(response, 401, {});
    const subject = String(headers['x-subject-token']);
    const role = Object.entries(tokens).find(([, token]) => token === subject)?.[0];
    if (role === undefined) {
      return sendJson(response, 404, {error: {message: `Could not find token: ${subject}.`}});
    }
    const roles = [{id: 'r', name: role}];
    const domain = {id: 'default', name: 'Default'};
    const [user, project] = [
      {id: 'u', name: 'nova', domain},
      {id: 'p', name: 'service', domain},
    ];
    sendJson(response, 200, {token: {user, roles, project, methods: ['password']}});
  });
}

export type Request = {
  method?: string;
  path?: string;
  token?: string | undefined;
  headers?: Record<string, string>;
  /** As it is sent, if it is a text. */
  body?: unknown;
  tls?: https.RequestOptions;
};

export type Reply = {status: number; headers: http.IncomingHttpHeaders; text: string; json: Record<string, unknown>};

export type TestRegistrar = AsyncDisposable & {
  url: string;
  port: number;
  api: ApiTables;
  cell: CellTables;
  seen: Seen[];
  keystone: TestServer;
  /** The log's lines, as they are written. */
  log: string[];
  lines(): Record<string, unknown>[];
  meters: RegistrarMeters;
  ask(request?: Request): Promise<Reply>;
  drain(): Promise<void>;
};

export type TestRegistrarOptions = Partial<Pick<RegistrarServerOptions, 'rateLimit' | 'maxRequests' | 'timeouts'>> & {
  tls?: SecureContextOptions;
  identification?: Partial<Identification>;
  /** Keystone refuses the registrar's own login. */
  refused?: boolean;
  /** Held before any cell is asked. */
  before?: () => Promise<void>;
};

export async function startRegistrar(options: TestRegistrarOptions = {}): Promise<TestRegistrar> {
  const {tls, identification = {}, before = async () => {}} = options;
  const keystone = await startKeystone({refuses: options.refused ?? false});
  const session = new Session(cellarUser(keystone.url), {retries: 0});
  const validator = new TokenValidator(session, keystone.url);
  const log: string[] = [];
  const meters = createRegistrarMeters();
  const logger = pino({level: 'debug'}, {write: line => log.push(line)});
  const [api, cell, seen] = [new ApiTables(), new CellTables(), [] as Seen[]];
  api.cells.push(cellRow(1, 'cell1'), cellRow(2, 'cell2'));
  cell.nodes.push({id: 7, uuid, host: 'compute-1', hypervisor_hostname: 'compute-1.example', mapped: 0});
  const registrar = new Registrar({
    api: new ApiDatabase(conductorOf({api}, seen)),
    cells: {
      use: async (place, _signal, act) => {
        await before();
        return act(
          new CellDatabase(conductorOf({cell: place.uuid === api.cells[0]?.uuid ? cell : new CellTables()}, seen)),
        );
      },
    },
    rules: {defaultCell: undefined, stagingCells: []},
  });
  const server = createRegistrarServer({
    registrar,
    identification: {
      auth: 'token',
      validate: (token, signal) => validator.validate(token, signal),
      rules: {roles: ['service'], projects: [], domain: 'default'},
      certificateNamesHost: true,
      ...identification,
    },
    version: '1.2.3',
    tls,
    timeouts: {headers: 5000, body: 5000, request: 20_000, ...options.timeouts},
    rateLimit: options.rateLimit ?? 0,
    maxConnections: 100,
    maxRequests: options.maxRequests ?? 100,
    ...observeRequests(logger, meters),
  });
  const {port} = await server.listen({host: '127.0.0.1', port: 0});
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return {
    url,
    port,
    api,
    cell,
    seen,
    keystone,
    log,
    meters,
    lines: () => log.map(line => JSON.parse(line)),
    ask: request => send(url, request),
    drain: () => server.drain(AbortSignal.timeout(10_000)),
    async [Symbol.asyncDispose]() {
      await server.drain(AbortSignal.timeout(100));
      validator.close();
      session.close();
      await keystone[Symbol.asyncDispose]();
    },
  };
}

/** By default: POST /v1/hosts of compute-1 with a good token. */
async function send(url: string, request: Request = {}): Promise<Reply> {
  const {
    method = 'POST',
    path = '/v1/hosts',
    headers = {},
    body = method === 'POST' ? host : undefined,
    tls = {},
  } = request;
  const token = 'token' in request ? request.token : tokens.service;
  const content = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
  const ask = (url.startsWith('https') ? https : http).request(`${url}${path}`, {
    method,
    agent: false,
    ...tls,
    headers: {
      ...(content !== undefined && {'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content)}),
      ...(token !== undefined && {'X-Auth-Token': token}),
      ...headers,
    },
  });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) =>
    ask.once('response', resolve).on('error', reject),
  );
  ask.end(content);
  const response = await answered;
  const said = await text(response);
  return {status: response.statusCode ?? 0, headers: response.headers, text: said, json: parsed(said)};
}

function parsed(said: string): Record<string, unknown> {
  try {
    return JSON.parse(said);
  } catch {
    return {};
  }
}
