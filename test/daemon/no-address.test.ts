/** An address that is not there yet, or is taken: the agent and the registrar end so that they are started again; metrics wait. */
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {type AddressInfo, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import {waitFor} from '../lab/run.ts';
import {makeAuthority, type Pair} from '../registrar/certificates.ts';

/** A program with this configuration; `socket` is its `[agent] socket`. */
function start(t: ExecutionContext, program: 'daemon' | 'registrar', conf: string) {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-address-'));
  const [file, socket] = [join(dir, 'cellar.conf'), join(dir, 'agent.sock')];
  writeFileSync(file, `[agent]\nsocket = ${socket}\n[image_store]\nspool_dir = ${dir}/spool\n${conf}`);
  const main = new URL(`../../src/${program}/main.ts`, import.meta.url).pathname;
  const child = spawn(process.execPath, [main, '--config-file', file]);
  t.teardown(() => {
    child.kill('SIGKILL');
    rmSync(dir, {recursive: true, force: true});
  });
  return {child, socket};
}

async function ended(child: ChildProcess): Promise<{code: number | null; said: string}> {
  const said = text(child.stderr as NodeJS.ReadableStream);
  const [code] = await once(child, 'exit');
  return {code, said: await said};
}

/** Of RFC 5737: no host has it. */
const nobodys = '203.0.113.1:9292';

const facade = `[facade]\nlisten = ${nobodys}\nupstream = http://127.0.0.1:9\n`;

const registrar = ({certFile, keyFile}: Pair) => `[DEFAULT]
transport_url = rabbit://127.0.0.1:1/
[registrar]
listen = ${nobodys}
tls_cert = ${certFile}
tls_key = ${keyFile}
auth_section = service_user
[service_user]
auth_type = password
auth_url = http://127.0.0.1:1
username = a
password = b
user_domain_name = Default
project_name = service
project_domain_name = Default
`;

test('an address that is not there yet may come: the exit code is one after which systemd starts them again', async t => {
  await using authority = await makeAuthority();
  const pair = await authority.issue('registrar.example');
  const both = [start(t, 'daemon', facade), start(t, 'registrar', registrar(pair))];
  for (const {code, said} of await Promise.all(both.map(({child}) => ended(child)))) {
    t.regex(said, /cannot listen on 203\.0\.113\.1:9292: .*EADDRNOTAVAIL/);
    t.regex(said, /`ip address` shows/);
    t.is(code, 75);
  }
});

test('no address for the metrics: the agent serves, says so once, and has them when the address is free', async t => {
  const other = createServer();
  await once(other.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => other.close());
  const {port} = other.address() as AddressInfo;
  const {child, socket} = start(t, 'daemon', `[agent]\nmetrics_listen = 127.0.0.1:${port}\n`);
  const lines: {msg?: string; level: number}[] = [];
  createInterface({input: child.stdout as NodeJS.ReadableStream}).on('line', line => lines.push(JSON.parse(line)));
  const of = (what: RegExp) => lines.filter(({msg}) => what.test(msg ?? ''));
  const said = (what: RegExp) =>
    waitFor(String(what), async () => {
      if (of(what).length === 0) throw new Error('not yet');
    });
  await said(/cellar-agent is ready/);
  t.true(existsSync(socket));
  const failed = /metrics cannot be served on 127.0.0.1:\d+: .*EADDRINUSE.*; it is tried again/;
  t.deepEqual(
    of(failed).map(({level}) => level),
    [50],
  );
  other.close();
  await said(/metrics are served/);
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  t.regex(await answer.text(), /^cellar_/m);
  t.is(of(failed).length, 1);
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [0, null]);
});
