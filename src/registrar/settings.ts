/** What the configuration means to cellar-registrar. Fails with one `config` error that tells what is wrong. */
import {readFileSync} from 'node:fs';
import {createSecureContext, type SecureContextOptions} from 'node:tls';
import type {CellarConfig} from '../config/load.ts';
import {type Address, formatAddress} from '../config/names.ts';
import {problemsError} from '../config/problem.ts';
import {CellarError} from '../core/errors.ts';
import {type Login, loginOptions} from '../daemon/login.ts';
import {isLoopback} from '../daemon/own-address.ts';
import {rabbitOptions} from '../daemon/rabbit.ts';
import type {AuthOptions} from '../keystone/auth.ts';
import type {GivenOptions} from '../oslo/options.ts';
import type {TokenRules} from './policy.ts';
import type {RegistrarRules} from './registrar.ts';

export type RegistrarSettings = {
  listen: Address;
  /** undefined: metrics are not served. */
  metricsListen: Address | undefined;
  tls: SecureContextOptions | undefined;
  auth: 'token' | 'certificate' | 'both';
  /** undefined where no token counts. */
  login: Login | undefined;
  tokenRules: TokenRules;
  certificateNamesHost: boolean;
  rules: RegistrarRules;
  rateLimit: number;
  maxConnections: number;
  maxRequests: number;
  /** ms */
  requestTimeout: number;
  shutdownTimeout: number;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  bus: {url: string; rabbit: GivenOptions; exchange: string; timeoutMs: number};
};

const second = 1000;

export function registrarSettings(config: CellarConfig): RegistrarSettings {
  const problems = config.check();
  if (problems.length > 0) throw problemsError(problems);
  const {get} = config;
  const auth = get('registrar', 'auth');
  const listen = get('registrar', 'listen');
  const ours = auth === 'certificate' ? undefined : login(config);
  return {
    listen,
    metricsListen: get('registrar', 'metrics_listen'),
    tls: tlsSettings(config, listen),
    auth,
    login: ours,
    tokenRules: {
      roles: get('registrar', 'roles'),
      projects: get('registrar', 'projects'),
      domain: projectDomain(ours?.auth),
    },
    certificateNamesHost: get('registrar', 'certificate_names_host'),
    rules: {defaultCell: get('registrar', 'default_cell'), stagingCells: get('registrar', 'staging_cells')},
    rateLimit: get('registrar', 'rate_limit'),
    maxConnections: get('registrar', 'max_connections'),
    maxRequests: get('registrar', 'max_requests'),
    requestTimeout: get('registrar', 'timeout') * second,
    shutdownTimeout: get('agent', 'shutdown_timeout') * second,
    logLevel: get('registrar', 'log_level'),
    bus: {
      url: get('DEFAULT', 'transport_url'),
      rabbit: rabbitOptions(config),
      exchange: get('DEFAULT', 'control_exchange'),
      timeoutMs: (get('DEFAULT', 'rpc_response_timeout') ?? 60) * second,
    },
  };
}

/** undefined: plain HTTP, which was asked for and stays on this host. Also read again for new certificates. */
export function tlsSettings({get}: CellarConfig, listen: Address): SecureContextOptions | undefined {
  const certificate = get('registrar', 'tls_cert');
  const authorities = get('registrar', 'client_ca');
  const wanted = get('registrar', 'auth') !== 'token';
  if (wanted && authorities === undefined) throw missing('client_ca', 'client certificates are asked for');
  if (certificate === undefined) {
    if (!get('registrar', 'plain_http')) throw missing('tls_cert', 'it is served with TLS, unless plain_http is true');
    if (wanted) throw missing('tls_cert', 'client certificates are asked for');
    if (isLoopback(listen.host)) return undefined;
    throw new CellarError('config', `[registrar] plain_http is true, and listen is ${formatAddress(listen)}`, {
      hint: 'tokens would travel in the clear: set tls_cert and tls_key, or listen on 127.0.0.1',
    });
  }
  const cert = read('tls_cert', certificate);
  const keyFile = get('registrar', 'tls_key');
  const key = keyFile === undefined ? cert : read('tls_key', keyFile);
  const context = {cert, key, ...(authorities !== undefined && {ca: read('client_ca', authorities)})};
  try {
    createSecureContext(context);
  } catch (error) {
    // OpenSSL's words only: they say what is wrong with the files and quote nothing of them.
    throw new CellarError('config', `TLS: cannot use ${certificate} and its key: ${(error as Error).message}`, {
      hint: 'they are PEM files; the key must belong to the certificate, and have no passphrase',
    });
  }
  return context;
}

/** The domain of the login's own project, by id or name; Keystone's default domain where the login does not say. */
function projectDomain(auth: Partial<AuthOptions> = {}): string {
  const {project_domain_id, project_domain_name, default_domain_id, default_domain_name} = auth;
  return project_domain_id || project_domain_name || default_domain_id || default_domain_name || 'default';
}

function login(config: CellarConfig): Login {
  const section = config.get('registrar', 'auth_section');
  const found = loginOptions(config, section);
  if (found !== undefined) return found;
  throw new CellarError('config', `[${section}] has no login at Keystone, by which tokens could be validated`, {
    hint: 'set auth_type and what belongs to it there, or [registrar] auth_section to a section that has them',
  });
}

function read(option: string, file: string): Buffer {
  try {
    const pem = readFileSync(file);
    if (pem.includes('-----BEGIN ')) return pem;
  } catch (error) {
    throw new CellarError('config', `[registrar] ${option}: cannot read ${file}: ${(error as Error).message}`);
  }
  throw new CellarError('config', `[registrar] ${option}: ${file} is not a PEM file`);
}

const missing = (option: string, why: string) =>
  new CellarError('config', `[registrar] ${option} is not set: ${why}`, {hint: 'see docs/configuration.md'});
