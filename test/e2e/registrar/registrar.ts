/** A real cellar-registrar beside the lab's super-conductor, over TLS. */
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {request} from 'node:https';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import type {ExecutionContext} from 'ava';
import {type AgentProcess, startRegistrarProcess} from '../../helpers/agent.ts';
import {novaLab} from '../../lab/nova/shared.ts';
import {confOf} from '../../lab/nova/state.ts';
import {type Authority, makeAuthority, type Pair} from '../../registrar/certificates.ts';

export type RealRegistrar = {
  /** The one that was started last. */
  process: AgentProcess;
  /** Again, after it was stopped. */
  restart(): Promise<void>;
  url: string;
  /** It vouches for the registrar, and for hosts where certificates are asked for. */
  authority: Authority;
  /** As Prometheus gets them. */
  metrics(): Promise<string>;
  /** Lines for the configuration of an agent that asks it. */
  conf: string;
  /** Lines of its log that say what was changed. */
  audit(host: string): Record<string, unknown>[];
};

/** It ends with the test. `conf`: more lines of [registrar]. With `certificates` hosts show one of its authority's, and no token. */
export async function startRealRegistrar(
  t: ExecutionContext,
  conf = '',
  {certificates = false} = {},
): Promise<RealRegistrar> {
  const nova = novaLab();
  const authority = await makeAuthority();
  t.teardown(() => authority[Symbol.asyncDispose]());
  const own = await authority.issue('registrar', 'IP:127.0.0.1');
  const dir = join(nova.state.dir, 'registrars', `${process.pid}-${Date.now()}`);
  mkdirSync(dir, {recursive: true, mode: 0o700});
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  const [port, metricsPort] = [await freePort(), await freePort()];
  const file = join(dir, 'registrar.conf');
  writeFileSync(
    file,
    `[registrar]
listen = 127.0.0.1:${port}
metrics_listen = 127.0.0.1:${metricsPort}
tls_cert = ${own.certFile}
tls_key = ${own.keyFile}
log_level = debug
${certificates ? `auth = certificate\nclient_ca = ${authority.certFile}\n` : ''}${conf}`,
    {mode: 0o600},
  );
  const files = [confOf(nova.state, 'api'), file];
  const started: AgentProcess[] = [];
  const start = async () => {
    const one = await startRegistrarProcess(files);
    t.teardown(one.kill);
    started.push(one);
  };
  await start();
  const url = `https://127.0.0.1:${port}`;
  return {
    get process() {
      return started.at(-1) as AgentProcess;
    },
    restart: start,
    url,
    authority,
    metrics: async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text(),
    conf: `[registrar]\nurl = ${url}\ncafile = ${authority.certFile}\n`,
    audit: host => started.flatMap(({log}) => log).filter(line => line['audit'] === true && line['host'] === host),
  };
}

async function freePort(): Promise<number> {
  const {createServer} = await import('node:net');
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const {port} = server.address() as {port: number};
      server.close(() => resolve(port));
    });
  });
}

export type Reply = {status: number; text: string};

/** POST /v1/hosts by hand. */
export async function askRegistrar(
  {authority, url}: RealRegistrar,
  body: object,
  {token, pair}: {token?: string; pair?: Pair} = {},
): Promise<Reply> {
  const headers = {'Content-Type': 'application/json', ...(token !== undefined && {'X-Auth-Token': token})};
  const tls = {ca: authority.cert, ...(pair && {cert: pair.cert, key: pair.key})};
  return new Promise((resolve, reject) => {
    request(`${url}/v1/hosts`, {method: 'POST', headers, ...tls}, async response =>
      resolve({status: response.statusCode ?? 0, text: await text(response)}),
    )
      .on('error', reject)
      .end(JSON.stringify(body));
  });
}
