/** A real cellar-registrar beside the lab's super-conductor, over TLS. */
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {type AgentProcess, startRegistrarProcess} from '../../helpers/agent.ts';
import {novaLab} from '../../lab/nova/shared.ts';
import {confOf} from '../../lab/nova/state.ts';
import {makeAuthority} from '../../registrar/certificates.ts';

export type RealRegistrar = {
  /** The one that was started last. */
  process: AgentProcess;
  /** Again, after it was stopped. */
  restart(): Promise<void>;
  url: string;
  /** Lines for the configuration of an agent that asks it. */
  conf: string;
  /** Lines of its log that say what was changed. */
  audit(host: string): Record<string, unknown>[];
};

/** It ends with the test. `conf`: more lines of [registrar]. */
export async function startRealRegistrar(t: ExecutionContext, conf = ''): Promise<RealRegistrar> {
  const nova = novaLab();
  const authority = await makeAuthority();
  t.teardown(() => authority[Symbol.asyncDispose]());
  const own = await authority.issue('registrar', 'IP:127.0.0.1');
  const dir = join(nova.state.dir, 'registrars', `${process.pid}-${Date.now()}`);
  mkdirSync(dir, {recursive: true, mode: 0o700});
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  const port = await freePort();
  const file = join(dir, 'registrar.conf');
  writeFileSync(
    file,
    `[registrar]
listen = 127.0.0.1:${port}
tls_cert = ${own.certFile}
tls_key = ${own.keyFile}
log_level = debug
${conf}`,
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
