/** How cellar talks HTTP to OpenStack: connections of its own, TLS as keystoneauth's options say, timeouts. */
import {readFileSync} from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, {type OnReadOpts, type Socket} from 'node:net';
import tls from 'node:tls';
import got, {type Got} from 'got';
import {CellarError} from '../core/errors.ts';
import {Slabs} from './slabs.ts';

/** keystoneauth's session options and ours, named as in an ini file. Times are seconds; 0 means the default. */
export type TransportOptions = {
  /** PEM file of the authorities to trust instead of the system's. */
  cafile?: string | undefined;
  certfile?: string | undefined;
  keyfile?: string | undefined;
  /** No check of the server's certificate. */
  insecure?: boolean | undefined;
  /** From the request sent to the answer's headers; for answers in JSON, to their end. Default 60. */
  timeout?: number | undefined;
  /** For each of: the name looked up, TCP connected, TLS agreed. Default 10. */
  connect_timeout?: number | undefined;
};

/** Where connections of both kinds come from. */
export type Agents = {http: http.Agent; https: TlsAgent};

/** Of every request. Hashes are of the bytes on the wire: nothing is to be packed. */
export const requestHeaders = {'user-agent': 'cellar', accept: '*/*', 'accept-encoding': 'identity'};

/** Agents that do TLS as the options say; `config` when a file of theirs cannot be used. */
export function agentsOf(options: TransportOptions, pooling: http.AgentOptions): Agents {
  return {http: new http.Agent(pooling), https: new TlsAgent(contextOf(options), !options.insecure, pooling)};
}

/** Owns the connections. `close()` ends them, those in use included. */
export class Transport {
  readonly got: Got;
  /** Milliseconds, for the answer's head, and for the connection. */
  readonly timeout: number;
  readonly connectTimeout: number;
  /** Of the bodies that are not got's. */
  readonly slabs = new Slabs();
  readonly #agents: Agents;
  readonly #connections = new Set<Socket>();

  /** `config` when a file of the options cannot be used. */
  constructor(options: TransportOptions = {}) {
    this.timeout = (options.timeout || 60) * 1000;
    const connect = (options.connect_timeout || 10) * 1000;
    this.connectTimeout = connect;
    this.#agents = agentsOf(options, {keepAlive: true});
    this.got = got.extend({
      agent: this.#agents,
      headers: requestHeaders,
      decompress: false,
      // A token must not follow a redirect to another host.
      followRedirect: false,
      throwHttpErrors: false,
      retry: {limit: 0},
      timeout: {lookup: connect, connect, secureConnect: connect, response: this.timeout},
    });
  }

  /** A connection of its own, not kept for another request, whose bytes go where `onread` says. */
  connect({protocol, hostname, port}: URL, onread: OnReadOpts): Socket {
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const socket =
      protocol === 'https:'
        ? this.#agents.https.connect(host, Number(port || 443), onread)
        : net.connect({host, port: Number(port || 80), onread});
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    return socket;
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
    for (const socket of this.#connections) socket.destroy();
  }
}

/** One TLS context for all connections: made per connection it would parse every authority each time. */
class TlsAgent extends https.Agent {
  readonly #context: tls.SecureContext | undefined;
  readonly #rejectUnauthorized: boolean;

  constructor(context: tls.SecureContext | undefined, rejectUnauthorized: boolean, pooling: http.AgentOptions) {
    super({...pooling, rejectUnauthorized});
    this.#context = context;
    this.#rejectUnauthorized = rejectUnauthorized;
  }

  /** One connection outside the pool. */
  connect(host: string, port: number, onread: OnReadOpts): Socket {
    return tls.connect({
      host,
      port,
      servername: net.isIP(host) ? '' : host,
      secureContext: this.#context ?? systemContext(),
      rejectUnauthorized: this.#rejectUnauthorized,
      onread,
    } as tls.ConnectionOptions);
  }

  override createConnection(...[options, callback]: Parameters<https.Agent['createConnection']>) {
    // The system's context takes 0.1 s to make, which hosts that speak plain HTTP need not spend.
    return super.createConnection(
      {...options, secureContext: this.#context ?? systemContext()} as typeof options,
      callback,
    );
  }
}

/** The context of the options' files, or undefined when they name none. */
function contextOf({cafile, certfile, keyfile}: TransportOptions): tls.SecureContext | undefined {
  if (!cafile && !certfile) return undefined;
  const ca = cafile ? authoritiesOf(cafile) : systemAuthorities();
  const cert = certfile ? read('certfile', certfile) : undefined;
  // A key may stand in the certificate's file, as with python-requests.
  const key = keyfile ? read('keyfile', keyfile) : cert;
  try {
    return tls.createSecureContext({ca, ...(cert === undefined ? {} : {cert, key})});
  } catch (error) {
    const files = [cafile, certfile, keyfile].filter(Boolean).join(', ');
    throw new CellarError('config', `TLS: cannot use ${files}: ${(error as Error).message}`, {
      hint: 'cafile, certfile and keyfile are PEM files; the key must belong to the certificate',
    });
  }
}

/** OpenSSL takes a file without a certificate and trusts nobody from then on. */
function authoritiesOf(cafile: string): Buffer {
  const pem = read('cafile', cafile);
  if (pem.includes('-----BEGIN ')) return pem;
  throw new CellarError('config', `cafile: ${cafile} holds no certificate`, {hint: 'it is a PEM file of authorities'});
}

let system: tls.SecureContext | undefined;

function systemContext(): tls.SecureContext {
  system ??= tls.createSecureContext({ca: systemAuthorities()});
  return system;
}

/** Python's OpenStack clients trust the distribution's store; Node by itself only knows the list it was built with. */
function systemAuthorities(): string[] {
  return [...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')])];
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CellarError('config', `${option}: cannot read ${file}: ${(error as Error).message}`, {cause: error});
  }
}
