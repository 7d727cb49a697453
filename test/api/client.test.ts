import {execFile, spawnSync} from 'node:child_process';
import {chmod, chown, writeFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {createServer as createPlainServer} from 'node:net';
import {join} from 'node:path';
import {inspect, promisify} from 'node:util';
import test from 'ava';
import type {Agent} from '../../src/api/agent.ts';
import {createClient} from '../../src/api/client.ts';
import {createApi} from '../../src/api/server.ts';
import {CellarError, type ErrorKind, errorKinds} from '../../src/core/errors.ts';
import {
  diskResult,
  diskView,
  entry,
  fakeAgent,
  image,
  requestId,
  retired,
  secret,
  status,
  untilAborted,
} from './fake-agent.ts';
import {temporaryFolder} from './temporary-folder.ts';
import {eventually, type Fixture, withServer} from './with-server.ts';

const clientOf = ({socket}: Pick<Fixture, 'socket'>) => createClient({socket, version: '9.9.9'});
const disk = {pool: 'vms', name: 'a b/100%'.replace('/', '-')};

/** Runs the listener on a socket of its own. */
async function onSocket(listen: (path: string) => Promise<{close(): void}>, act: (path: string) => Promise<void>) {
  const path = join(await temporaryFolder(), 'agent.sock');
  const server = await listen(path);
  try {
    await act(path);
  } finally {
    server.close();
  }
}

test('each method asks what it says and answers what the agent said', async t => {
  await withServer({}, async fixture => {
    const client = clientOf(fixture);
    const request = {...disk, image, size: 1024 ** 3};
    t.deepEqual(await client.createDisk({...request, token: secret}, {requestId}), {
      schema: 1,
      ...diskResult({...request, requester: {}}),
    });
    t.deepEqual(await client.showDisk(disk), {schema: 1, ...diskView, ...disk});
    t.deepEqual(await client.deleteDisk(disk), {schema: 1, ...disk, deleted: true});
    t.deepEqual(await client.listImages(), {schema: 1, images: [entry], retired: [retired], pins: [image]});
    t.deepEqual(await client.showImage(image.toUpperCase()), entry);
    t.deepEqual(await client.status(), {schema: 1, ...status, requests: 0});
    t.deepEqual(await client.health(), {schema: 1, state: 'ok'});
    t.deepEqual(
      fixture.seen.map(({method, args}) => [method, ...args]),
      [
        ['createDisk', {...request, requester: {requestId, token: secret}}],
        ['showDisk', disk],
        ['deleteDisk', disk],
        ['listImages'],
        ['showImage', image],
        ['status'],
      ],
    );
  });
});

test('progress is told in order, before the result', async t => {
  const told: unknown[] = [];
  const createDisk: Agent['createDisk'] = async (request, {onProgress}) => {
    for (const received of [0, 50, 100]) onProgress?.({image, received, size: 100});
    return diskResult(request);
  };
  await withServer(
    {createDisk},
    async fixture => {
      const result = await clientOf(fixture).createDisk({...disk, image}, {onProgress: one => told.push(one.received)});
      t.deepEqual(told, [0, 50, 100]);
      t.is(result.outcome, 'cloned-from-cache');
    },
    {progressInterval: 0},
  );
});

for (const kind of Object.keys(errorKinds) as ErrorKind[]) {
  test(`the agent's ${kind} is thrown as it was there, in one piece and in lines`, async t => {
    const createDisk: Agent['createDisk'] = async (_, {onProgress}) => {
      onProgress?.({image, received: 0, size: 1});
      throw new CellarError(kind, 'what happened', {hint: 'what to do', object: 'vms/a'});
    };
    await withServer({createDisk}, async fixture => {
      for (const options of [{}, {onProgress: () => {}}]) {
        const error = await t.throwsAsync(clientOf(fixture).createDisk({...disk, image}, {...options, requestId}), {
          instanceOf: CellarError,
        });
        t.like(error, {kind, message: 'what happened', hint: 'what to do', object: 'vms/a'});
        t.is(error.cause, `request ${requestId}`);
      }
    });
  });
}

test('names and ids are refused on this side, where a URL would fold them', async t => {
  await withServer({}, async fixture => {
    const client = clientOf(fixture);
    for (const act of [
      () => client.showDisk({pool: 'vms', name: '..'}),
      () => client.deleteDisk({pool: 'a/b', name: 'x'}),
      () => client.createDisk({pool: 'vms', name: 'x', image: 'debian'}),
      () => client.createDisk({pool: 'vms', name: 'x', image, size: 0}),
      () => client.createDisk({pool: 'vms', name: 'x', image, token: 'a\nb'}),
      () => client.showImage('../status'),
    ]) {
      t.is((await t.throwsAsync(act(), {instanceOf: CellarError})).kind, 'usage');
    }
    t.deepEqual(fixture.seen, []);
  });
});

test('an abort ends the call at once, and the request at the agent', async t => {
  const listImages = untilAborted;
  await withServer({listImages}, async fixture => {
    const controller = new AbortController();
    const running = clientOf(fixture).listImages({signal: controller.signal});
    await eventually(() => fixture.seen.length === 1);
    controller.abort();
    t.is((await t.throwsAsync(running, {instanceOf: CellarError})).kind, 'cancelled');
    await eventually(() => fixture.seen[0]?.signal.aborted === true);
    const late = clientOf(fixture).listImages({signal: controller.signal});
    t.is((await t.throwsAsync(late, {instanceOf: CellarError})).kind, 'cancelled');
    t.is(fixture.seen.length, 1);
  });
});

test('a call that takes longer than its timeout is a timeout, and the request at the agent ends', async t => {
  await withServer({listImages: untilAborted}, async fixture => {
    const error = await t.throwsAsync(clientOf(fixture).listImages({timeout: 1500}), {instanceOf: CellarError});
    t.is(error.kind, 'timeout');
    t.is(error.message, 'the agent did not answer within 1.5 s');
    await eventually(() => fixture.seen[0]?.signal.aborted === true);
  });
});

test('another version of the agent is told once', async t => {
  await withServer({}, async ({socket}) => {
    const told: string[] = [];
    const client = createClient({socket, version: '1.0.0', onOtherVersion: version => told.push(version)});
    await client.health();
    await client.health();
    t.deepEqual(told, ['9.9.9']);
    await createClient({socket, version: '9.9.9', onOtherVersion: version => told.push(version)}).health();
    t.is(told.length, 1);
  });
});

test('a socket that is missing, dead or no socket is unreachable, with what to do', async t => {
  const directory = await temporaryFolder();
  const [missing, dead, file] = ['missing', 'dead', 'file'].map(name => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const die = `require('net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', die]);
  await writeFile(file, '');
  for (const [socket, message] of [
    [missing, `the agent's socket ${missing} does not exist`],
    [dead, `nobody answers on the agent's socket ${dead}`],
    [file, `nobody answers on the agent's socket ${file}`],
    [join(file, 'x'), `${join(file, 'x')} is no socket`],
  ] as const) {
    const error = await t.throwsAsync(clientOf({socket}).status(), {instanceOf: CellarError});
    t.like(error, {kind: 'unreachable', message, object: socket});
    t.truthy(error.hint);
  }
  const {hint} = await t.throwsAsync(clientOf({socket: missing}).status(), {instanceOf: CellarError});
  t.regex(String(hint), /systemctl status cellar-agent/);
});

test('a socket of another group is forbidden, and the group is named', async t => {
  if (process.getuid?.() !== 0) return t.pass('only root can make one');
  await onSocket(
    async path => {
      const server = createApi({agent: fakeAgent(), version: '9.9.9'});
      await server.listen({path, mode: 0o660});
      return {close: () => void server.drain(AbortSignal.abort())};
    },
    async path => {
      await chmod(join(path, '..'), 0o755);
      await chown(path, 0, 1);
      const script = `import {createClient} from ${JSON.stringify(new URL('../../src/api/client.ts', import.meta.url))};
        const client = createClient({socket: ${JSON.stringify(path)}, version: '9.9.9'});
        await client.status().catch(({kind, message, hint}) => console.log(JSON.stringify({kind, message, hint})));`;
      const {stdout} = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
        uid: 65_534,
        gid: 65_534,
      });
      t.deepEqual(JSON.parse(stdout), {
        kind: 'forbidden',
        message: `you may not use the agent's socket ${path}`,
        hint: "be a member of the socket's group daemon, or be root",
      });
    },
  );
});

test('an agent that dies in the middle is unreachable, whether the answer had begun or not', async t => {
  for (const beginning of [
    '',
    'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  ]) {
    await onSocket(
      async path => {
        const server = createPlainServer(connection => {
          connection.on('error', () => {});
          connection.once('data', () => connection.end(beginning));
        });
        return server.listen(path);
      },
      async path => {
        const call = clientOf({socket: path}).createDisk({...disk, image, token: secret}, {onProgress: () => {}});
        const error = await t.throwsAsync(call, {instanceOf: CellarError});
        t.is(error.kind, 'unreachable');
        t.regex(error.message, /^the connection to the agent on .* broke/);
        t.false(inspect(error, {depth: 20, showHidden: true}).includes(secret));
      },
    );
  }
});

test('what answers but is no agent is told from one', async t => {
  for (const [status, type, text] of [
    [200, 'text/html', '<h1>hello</h1>'],
    [200, 'application/json', '{}'],
    [502, 'text/plain', 'bad gateway'],
    [200, 'application/x-ndjson', '{"progress":{"image":"x","received":1,"size":2}}\n'],
  ] as const) {
    await onSocket(
      async path =>
        createServer((_, response) => response.writeHead(status, {'Content-Type': type}).end(text)).listen(path),
      async path => {
        const error = await t.throwsAsync(
          clientOf({socket: path}).createDisk({...disk, image}, {onProgress: () => {}}),
          {
            instanceOf: CellarError,
          },
        );
        t.is(error.message, `what answers on ${path} does not speak as an agent (${status})`);
      },
    );
  }
});

test('an answer may have gained fields, and a kind this side does not know is kept in words', async t => {
  await onSocket(
    async path =>
      createServer((request, response) => {
        const known = request.url === '/healthz';
        const error = {kind: 'novel', message: 'something new', requestId};
        response.writeHead(known ? 200 : 418, {'Content-Type': 'application/json'});
        response.end(JSON.stringify(known ? {schema: 1, state: 'ok', mood: 'good'} : {schema: 1, error}));
      }).listen(path),
    async path => {
      t.deepEqual(await clientOf({socket: path}).health(), {schema: 1, state: 'ok'});
      const error = await t.throwsAsync(clientOf({socket: path}).status(), {instanceOf: CellarError});
      t.like(error, {kind: 'internal', message: 'something new (novel)'});
    },
  );
});

test('the path of the socket may hold what a URL would trip over', async t => {
  const directory = await temporaryFolder('cellar a:b?c#d%41-');
  const socket = join(directory, 's.sock');
  const server = createApi({agent: fakeAgent(), version: '9.9.9'});
  await server.listen({path: socket, mode: 0o600});
  t.deepEqual(await clientOf({socket}).health(), {schema: 1, state: 'ok'});
  await server.drain(AbortSignal.abort());
});
