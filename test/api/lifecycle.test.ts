/** How the server takes its socket, and how it leaves. */
import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {chmod, mkdir, readFile, stat, writeFile} from 'node:fs/promises';
import {connect} from 'node:net';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {createApi} from '../../src/api/server.ts';
import {CellarError} from '../../src/core/errors.ts';
import {diskResult, entry, fakeAgent, image, kept, untilAborted} from './fake-agent.ts';
import {eventually, send, withServer} from './with-server.ts';

const body = JSON.stringify({image});
const another = () => createApi({agent: fakeAgent(), version: '9.9.9'});

test('the socket has the mode that was asked for, whatever the umask', async t => {
  await withServer({}, async ({directory}) => {
    for (const mode of [0o600, 0o660, 0o666]) {
      const server = another();
      const before = process.umask();
      await server.listen({path: join(directory, 'b.sock'), mode});
      t.is((await stat(join(directory, 'b.sock'))).mode & 0o777, mode);
      t.is(process.umask(), before);
      await server.drain(AbortSignal.abort());
    }
  });
});

test('a socket file that a dead agent left is taken over', async t => {
  await withServer({}, async ({directory}) => {
    const path = join(directory, 'stale.sock');
    const dead = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', dead]);
    t.true(existsSync(path));
    const server = another();
    await server.listen({path, mode: 0o600});
    t.is((await send(path, 'GET', '/healthz')).status, 200);
    await server.drain(AbortSignal.abort());
  });
});

test('a socket on which somebody answers is left to them', async t => {
  await withServer({}, async ({socket, ask}) => {
    const error = await t.throwsAsync(another().listen({path: socket, mode: 0o600}), {instanceOf: CellarError});
    t.is(error.kind, 'conflict');
    t.is(error.message, `another agent listens on ${socket}`);
    t.is((await ask('GET', '/healthz')).status, 200);
  });
});

test('a file that is no socket is not touched', async t => {
  await withServer({}, async ({directory}) => {
    const path = join(directory, 'precious');
    await writeFile(path, 'data');
    const error = await t.throwsAsync(another().listen({path, mode: 0o600}), {instanceOf: CellarError});
    t.is(error.kind, 'conflict');
    t.is(await readFile(path, 'utf8'), 'data');
  });
});

test('a path that is too long or has no directory is a matter of configuration', async t => {
  await withServer({}, async ({directory}) => {
    for (const path of [join(directory, 'x'.repeat(108)), join(directory, 'nowhere', 'a.sock')]) {
      const error = await t.throwsAsync(another().listen({path, mode: 0o600}), {instanceOf: CellarError});
      t.is(error.kind, 'config');
      t.true(error.message.includes(path));
      t.is(/longer than 107 bytes/.test(error.message), Buffer.byteLength(path) > 107);
    }
  });
});

test('a directory that may not be written is a matter of configuration', async t => {
  if (process.getuid?.() === 0) return t.pass('root may write anywhere');
  await withServer({}, async ({directory}) => {
    await mkdir(join(directory, 'closed'));
    await chmod(join(directory, 'closed'), 0o500);
    const error = await t.throwsAsync(another().listen({path: join(directory, 'closed', 'a'), mode: 0o600}), {
      instanceOf: CellarError,
    });
    t.is(error.kind, 'config');
  });
});

test('draining lets a running request finish, takes no new one, and removes the socket file at once', async t => {
  const release = Promise.withResolvers<void>();
  const createDisk = async (request: Parameters<typeof diskResult>[0]) => {
    await release.promise;
    return diskResult(request);
  };
  await withServer({createDisk}, async ({ask, seen, server, socket}) => {
    const running = ask('PUT', '/v1/disks/vms/a', {body});
    await eventually(() => seen.length === 1);
    const drained = server.drain(AbortSignal.timeout(60_000));
    t.false(existsSync(socket));
    await t.throwsAsync(ask('GET', '/healthz'), {code: 'ENOENT'});
    t.false(seen[0]?.signal.aborted);
    release.resolve();
    const answer = await running;
    t.is(answer.status, 200);
    t.is(answer.headers.connection, 'close');
    await drained;
    t.is(server.inFlight, 0);
  });
});

test('draining aborts what is still running at the deadline, and answers it 499', async t => {
  await withServer({createDisk: (_, {signal}) => untilAborted(signal)}, async ({ask, seen, server}) => {
    const running = ask('PUT', '/v1/disks/vms/a', {body});
    await eventually(() => seen.length === 1);
    const deadline = new AbortController();
    const drained = server.drain(deadline.signal);
    deadline.abort();
    const {status, json} = await running;
    t.is(status, 499);
    t.like(json, {error: {kind: 'cancelled', message: 'the agent is stopping'}});
    t.true(seen[0]?.signal.aborted);
    await drained;
  });
});

test('draining closes idle connections at once: kept-alive, silent and half-begun ones', async t => {
  await withServer({}, async ({socket, server}) => {
    const begun = ['GET /healthz HTTP/1.1\r\n\r\n', '', 'GET /heal'].map(bytes => {
      const connection = connect(socket);
      connection.write(bytes);
      connection.resume();
      // One that was still in the listener's queue is reset.
      connection.on('error', () => {});
      return connection;
    });
    await new Promise(resolve => begun[0]?.once('data', resolve));
    const closed = begun.map(connection => new Promise(resolve => connection.once('close', resolve)));
    const began = performance.now();
    await server.drain(AbortSignal.timeout(60_000));
    await Promise.all(closed);
    t.true(performance.now() - began < 20_000);
  });
});

test('a request on a kept-alive connection that comes while draining is sent away', async t => {
  const release = Promise.withResolvers<typeof kept>();
  await withServer({listImages: () => release.promise}, async ({socket, seen, server}) => {
    const connection = connect(socket);
    connection.write('GET /v1/images HTTP/1.1\r\n\r\n');
    await eventually(() => seen.length === 1);
    const drained = server.drain(AbortSignal.timeout(60_000));
    connection.write('GET /v1/status HTTP/1.1\r\n\r\n');
    await new Promise(resolve => setTimeout(resolve, 50));
    release.resolve(kept);
    let received = '';
    for await (const chunk of connection) received += chunk;
    await drained;
    t.true(received.includes('"images":[{'));
    t.deepEqual(
      seen.map(({method}) => method),
      ['listImages'],
    );
  });
});

/** Far more than a socket's buffers hold. */
const many = {...kept, copies: Array.from({length: 20_000}, () => ({...entry}))};

test('an answer that is still being read when the server stops is read to its end', async t => {
  await withServer({listImages: async () => many}, async ({socket, handled, seen, server}) => {
    const connection = connect(socket);
    connection.pause();
    connection.write('GET /v1/images HTTP/1.1\r\n\r\n');
    await eventually(() => seen.length === 1);
    await new Promise(resolve => setTimeout(resolve, 300));
    t.is(handled.length, 0);
    const drained = server.drain(AbortSignal.timeout(60_000));
    await new Promise(resolve => setTimeout(resolve, 100));
    const received = await text(connection);
    t.true(received.endsWith(']}\n'));
    await drained;
  });
});

test('an answer that nobody reads does not keep the server beyond its deadline', async t => {
  await withServer(
    {listImages: async () => many},
    async ({socket, seen, server}) => {
      const connection = connect(socket);
      connection.on('error', () => {});
      connection.pause();
      connection.write('GET /v1/images HTTP/1.1\r\n\r\n');
      await eventually(() => seen.length === 1);
      await new Promise(resolve => setTimeout(resolve, 300));
      const began = performance.now();
      await server.drain(AbortSignal.timeout(100));
      const took = performance.now() - began;
      t.true(took > 1000 && took < 20_000, `${took} ms`);
      connection.destroy();
    },
    {timeouts: {grace: 50}},
  );
});

test('draining twice waits twice, and the nearer deadline counts', async t => {
  await withServer({listImages: untilAborted}, async ({ask, seen, server}) => {
    const running = ask('GET', '/v1/images');
    await eventually(() => seen.length === 1);
    const first = server.drain(AbortSignal.timeout(60_000));
    const second = server.drain(AbortSignal.abort());
    t.is((await running).status, 499);
    await Promise.all([first, second]);
    t.is(server.inFlight, 0);
  });
});

test('a server that never listened drains at once', async t => {
  await another().drain(AbortSignal.timeout(60_000));
  t.pass();
});
