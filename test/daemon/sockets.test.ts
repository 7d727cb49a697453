/** An agent that cannot have its sockets, or was handed the wrong one, ends; nothing of it stays behind. */
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {type AddressInfo, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Readable} from 'node:stream';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import type {CellarError} from '../../src/core/errors.ts';
import {checkFacadeSocket} from '../../src/daemon/sockets.ts';

const main = new URL('../../src/daemon/main.ts', import.meta.url).pathname;

/** A server on a free port of loopback, the files of an agent whose facade is to listen on `listen`, and how to run it. */
async function place(t: ExecutionContext, listen: (port: number) => string) {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-listen-'));
  t.teardown(() => rmSync(dir, {recursive: true}));
  const other = createServer();
  await once(other.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => other.close());
  const {port} = other.address() as AddressInfo;
  const [file, socket] = [join(dir, 'cellar.conf'), join(dir, 'agent.sock')];
  writeFileSync(
    file,
    `[agent]\nsocket = ${socket}\n[facade]\nlisten = ${listen(port)}\nupstream = http://127.0.0.1:9\n[image_store]\nspool_dir = ${dir}/spool\n`,
  );
  const agent = [process.execPath, main, '--config-file', file];
  return {port, socket, agent, fd: (other as unknown as {_handle: {fd: number}})._handle.fd};
}

/** Its exit code and what it said. */
async function ended(t: ExecutionContext, agent: ChildProcess): Promise<{code: number | null; said: string}> {
  t.teardown(() => agent.kill('SIGKILL'));
  const said = text(agent.stderr as Readable);
  const [code] = await once(agent, 'exit');
  return {code, said: await said};
}

test("the facade's address is taken: the agent says so, and ends", async t => {
  const {port, socket, agent} = await place(t, one => `127.0.0.1:${one}`);
  const [command = '', ...args] = agent;
  const {code, said} = await ended(t, spawn(command, args));
  t.not(code, 0);
  t.true(said.includes(`the facade cannot listen on 127.0.0.1:${port}`), said);
  t.false(existsSync(socket));
});

test('the socket that was handed over is bound to another address than [facade] listen: exit 78', async t => {
  const {port, socket, agent, fd} = await place(t, one => `127.0.0.2:${one}`);
  // The shell knows the agent's process id before the agent runs: it becomes the agent.
  const child = spawn('sh', ['-c', 'export LISTEN_PID=$$; exec "$@"', 'sh', ...agent], {
    env: {...process.env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'facade'},
    stdio: ['ignore', 'ignore', 'pipe', fd],
  });
  const {code, said} = await ended(t, child);
  t.is(code, 78, said);
  t.true(said.includes(`is bound to 127.0.0.1:${port}, but [facade] listen is 127.0.0.2:${port}`), said);
  t.regex(said, /ListenStream= of cellar-facade\.socket/);
  t.false(existsSync(socket));
});

test('addresses are the same however they are written', t => {
  const bound = (address: string, port = 9292) => ({address, port, family: 'any'});
  const check = (address: AddressInfo | string | null, host: string) => () =>
    checkFacadeSocket(address, {host, port: 9292});
  for (const [address, host] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::', '0.0.0.0'],
  ] as const)
    t.notThrows(check(bound(address), host), `${address} ${host}`);
  for (const [address, host] of [
    [bound('127.0.0.1', 9393), '127.0.0.1'],
    [bound('0.0.0.0'), '127.0.0.1'],
    [bound('127.0.0.1'), '0.0.0.0'],
    [bound('::1'), '127.0.0.1'],
    ['/run/cellar/facade.sock', '127.0.0.1'],
    [null, '127.0.0.1'],
  ] as const)
    t.is(t.throws<CellarError>(check(address, host))?.kind, 'config', JSON.stringify(address));
});
