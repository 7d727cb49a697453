import {createHash} from 'node:crypto';
import {getEventListeners} from 'node:events';
import type {ServerResponse} from 'node:http';
import net from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import type {ImageRecord} from '../../src/core/image.ts';
import type {Download} from '../../src/core/ports.ts';
import {GlanceClient, type GlanceOptions} from '../../src/glance/client.ts';
import {parseRecord} from '../../src/glance/record.ts';
import {Session} from '../../src/keystone/session.ts';
import {fails} from '../helpers/fails.ts';
import {cellarUser, startKeystone} from '../helpers/fake-keystone.ts';
import {imageId, imageJson} from '../helpers/glance-image.ts';
import {startServer, type TestServer} from '../helpers/with-server.ts';

const never = new AbortController().signal;
const user = {token: 's3cr3t-user'};
const path = `/v2/images/${imageId}/file`;
const recordOf = (size: number | null): ImageRecord => parseRecord(imageJson({size}), imageId);

function clientOf(t: ExecutionContext, server: {url: string}, options: GlanceOptions = {}): GlanceClient {
  const client = new GlanceClient({endpoint_override: server.url, retries: 2, retry_delay: 0.01, ...options});
  t.teardown(() => client.close());
  return client;
}

/** A server whose every answer is 200, written by `send`. */
const serve = (send: (response: ServerResponse, count: number) => void): Promise<TestServer> =>
  startServer(({count}, response) => send(response, count));

async function bytesOf({body}: Download): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function closed(server: TestServer): Promise<boolean> {
  for (let n = 0; n < 100; n++) {
    if ((await server.connections()) === 0) return true;
    await sleep(10);
  }
  return false;
}

test('the bytes come as they were sent', async t => {
  const data = Buffer.alloc(3_000_001, 'image');
  await using server = await serve(response => response.writeHead(200, {'content-length': data.length}).end(data));
  const download = await clientOf(t, server).download(recordOf(data.length), user, never);
  t.is(download.length, data.length);
  t.deepEqual(
    createHash('sha256')
      .update(await bytesOf(download))
      .digest('hex'),
    createHash('sha256').update(data).digest('hex'),
  );
  t.deepEqual(server.lines(), [`GET ${path}`]);
  t.like(server.seen[0], {headers: {'x-auth-token': 's3cr3t-user', 'accept-encoding': 'identity'}});
});

test('an empty image, and one whose size nobody knows', async t => {
  await using server = await serve((response, count) => {
    if (count === 1) response.writeHead(200, {'content-length': 0}).end();
    else response.writeHead(200).end('whatever');
  });
  const client = clientOf(t, server);
  t.is((await bytesOf(await client.download(recordOf(0), user, never))).length, 0);
  const unknown = await client.download(recordOf(null), user, never);
  t.is(unknown.length, undefined);
  t.is((await bytesOf(unknown)).toString(), 'whatever');
});

test('chunked without a length is checked against the record', async t => {
  await using server = await serve(response => {
    response.write('01234');
    response.end('56789');
  });
  const client = clientOf(t, server);
  const download = await client.download(recordOf(10), user, never);
  t.is(download.length, undefined);
  t.is((await bytesOf(download)).toString(), '0123456789');
  await fails(
    t,
    client.download(recordOf(11), user, never).then(bytesOf),
    'corrupt',
    /as 10 bytes, and its record says 11$/,
  );
  await fails(
    t,
    client.download(recordOf(9), user, never).then(bytesOf),
    'corrupt',
    /as at least 10 bytes, and its record says 9$/,
  );
});

test('a Content-Length other than the size is corrupt before a byte is read', async t => {
  await using server = await serve(response => response.writeHead(200, {'content-length': 5}).write('0'));
  await fails(
    t,
    clientOf(t, server).download(recordOf(6), user, never),
    'corrupt',
    /as 5 bytes, and its record says 6$/,
  );
  t.true(await closed(server));
});

test('more bytes than Content-Length break the download', async t => {
  await using server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0123456789');
  const download = await clientOf(t, server).download(recordOf(5), user, never);
  await fails(t, bytesOf(download), 'unavailable', /broke off after \d of 5 bytes: Parse Error/);
});

for (const encoding of ['gzip', 'br']) {
  test(`a body encoded with ${encoding} is refused`, async t => {
    await using server = await serve(response =>
      response.writeHead(200, {'content-encoding': encoding, 'content-length': 0}).end(),
    );
    const error = await fails(
      t,
      clientOf(t, server).download(recordOf(0), user, never),
      'corrupt',
      new RegExp(`encoded as ${encoding}`),
    );
    t.regex(error.hint ?? '', /gzip filter/);
  });
}

const refusals: [number, Parameters<typeof fails>[2], RegExp][] = [
  [204, 'corrupt', /204 No Content$/],
  [206, 'unavailable', /206 Partial Content$/],
  [401, 'unauthorized', /401 Unauthorized$/],
  [403, 'forbidden', /403 Forbidden$/],
  [404, 'not-found', /404 Not Found$/],
  [302, 'unavailable', /302 Found, a redirect to http:\/\/swift\/x$/],
];

for (const [status, kind, message] of refusals) {
  test(`${status} is ${kind}, asked once`, async t => {
    await using server = await serve(response =>
      response.writeHead(status, status === 302 ? {location: 'http://swift/x'} : {}).end(),
    );
    const error = await fails(t, clientOf(t, server).download(recordOf(1), user, never), kind, message);
    t.is(error.object, imageId);
    t.is(server.seen.length, 1);
  });
}

test('204 is explained', async t => {
  await using server = await serve(response => response.writeHead(204).end());
  const error = await fails(t, clientOf(t, server).download(recordOf(1), user, never), 'corrupt', /204/);
  t.regex(error.hint ?? '', /has the record but no data/);
});

test('503, a broken connection, and then the image', async t => {
  await using server = await serve((response, count) => {
    if (count === 1) response.writeHead(503).end();
    else if (count === 2) response.destroy();
    else response.end('data');
  });
  t.is((await bytesOf(await clientOf(t, server).download(recordOf(4), user, never))).toString(), 'data');
  t.is(server.seen.length, 3);
});

test('a 401 for our own token costs one new token, and the download goes on', async t => {
  await using server = await startServer(({headers}, response) => {
    if (headers['x-auth-token'] === 's3cr3t-token-1') response.writeHead(401).end();
    else response.end('data');
  });
  await using keystone = await startKeystone();
  const session = new Session(cellarUser(keystone.url));
  const client = new GlanceClient({endpoint_override: server.url}, session);
  t.teardown(() => [client, session].map(one => one.close()));
  t.is((await bytesOf(await client.download(recordOf(4), {}, never))).toString(), 'data');
  t.is(keystone.seen.length, 2);
});

const breaks: [string, (response: ServerResponse) => void][] = [
  ['closed early', response => response.socket?.end()],
  ['reset', response => response.socket?.resetAndDestroy()],
];

for (const [name, breakOff] of breaks) {
  for (const length of [1000, undefined]) {
    test(`a connection ${name} in the middle of a ${length ? 'known' : 'chunked'} length is unavailable, and not retried`, async t => {
      await using server = await serve(response => {
        response.writeHead(200, length ? {'content-length': length} : {});
        response.write('0123456789', () => setTimeout(() => breakOff(response), 50));
      });
      const download = await clientOf(t, server).download(recordOf(1000), user, never);
      const error = await fails(
        t,
        bytesOf(download),
        'unavailable',
        /^the download of image .* broke off after 10 (of 1000 )?bytes: /,
      );
      t.is(error.object, imageId);
      t.is(server.seen.length, 1);
    });
  }
}

test.serial('headers that do not come are a timeout', async t => {
  await using server = await serve(() => {});
  const client = clientOf(t, server, {timeout: 0.5, retries: 1});
  await fails(t, client.download(recordOf(1), user, never), 'timeout', /no answer within 500 ms$/);
  t.is(server.seen.length, 2);
  t.true(await closed(server));
});

test.serial('a stall is a timeout, and ends the connection', async t => {
  await using server = await serve(response => response.writeHead(200, {'content-length': 1000}).write('0123456789'));
  const download = await clientOf(t, server, {idle_timeout: 0.2}).download(recordOf(1000), user, never);
  const start = performance.now();
  await fails(t, bytesOf(download), 'timeout', /stalled after 10 of 1000 bytes: nothing came for 0\.2 s$/);
  t.true(performance.now() - start >= 190);
  t.true(await closed(server));
});

test.serial('bytes that trickle are no stall, and a slow reader is not Glance stalling', async t => {
  await using server = await serve(async response => {
    response.writeHead(200, {'content-length': 10});
    for (const part of 'abcdefghij') {
      response.write(part);
      await sleep(300);
    }
    response.end();
  });
  const download = await clientOf(t, server, {idle_timeout: 2}).download(recordOf(10), user, never);
  let text = '';
  for await (const chunk of download.body) {
    text += Buffer.from(chunk).toString();
    if (text === 'abcdefghi') await sleep(3000);
  }
  t.is(text, 'abcdefghij');
});

test('leaving the loop early closes the connection', async t => {
  await using server = await endless();
  const {body} = await clientOf(t, server).download(recordOf(null), user, never);
  for await (const chunk of body) {
    t.true(chunk.length > 0);
    break;
  }
  t.true(await closed(server));
});

test('a body longer than the record says is left at once', async t => {
  await using server = await endless();
  const download = await clientOf(t, server).download(recordOf(15), user, never);
  await fails(t, bytesOf(download), 'corrupt', /as at least \d+ bytes, and its record says 15$/);
  t.true(await closed(server));
});

test('giving it up before the first byte closes the connection, and so does closing the client', async t => {
  await using server = await endless();
  const {body} = await clientOf(t, server).download(recordOf(null), user, never);
  await body[Symbol.asyncIterator]().return?.();
  t.true(await closed(server));
  const client = clientOf(t, server);
  const download = await client.download(recordOf(null), user, never);
  const failed = fails(t, bytesOf(download), 'unavailable', /broke off/);
  client.close();
  await failed;
  t.true(await closed(server));
});

test.serial('the reader sets the pace', async t => {
  let sent = 0;
  await using server = await serve(response => {
    const block = Buffer.alloc(1024 * 1024);
    const more = () => {
      while (!response.destroyed) {
        sent += block.length;
        if (!response.write(block)) return response.once('drain', more);
      }
      return response;
    };
    more();
  });
  const {body} = await clientOf(t, server).download(recordOf(null), user, never);
  const reader = body[Symbol.asyncIterator]();
  await reader.next();
  await sleep(300);
  const before = sent;
  await sleep(300);
  t.is(sent, before, 'nothing is taken from the socket while nobody reads');
  t.true(sent < 32 * 1024 * 1024);
  await reader.return?.();
});

test.serial('an abort in the middle is cancelled, a deadline is a timeout', async t => {
  await using server = await serve(response => response.writeHead(200, {'content-length': 1000}).write('0123456789'));
  const client = clientOf(t, server);
  const controller = new AbortController();
  const download = await client.download(recordOf(1000), user, controller.signal);
  const aborted = fails(t, bytesOf(download), 'cancelled', /broke off after 10 of 1000 bytes: cancelled$/);
  await sleep(100);
  controller.abort();
  await aborted;
  const late = await client.download(recordOf(1000), user, AbortSignal.timeout(1000));
  await fails(t, bytesOf(late), 'timeout', /broke off after 10 of 1000 bytes: the deadline passed$/);
  t.true(await closed(server));
});

test('an abort before the first read ends the connection, and the read fails', async t => {
  await using server = await endless();
  const controller = new AbortController();
  const download = await clientOf(t, server).download(recordOf(null), user, controller.signal);
  controller.abort();
  t.true(await closed(server));
  await fails(t, bytesOf(download), 'cancelled', /broke off after 0 bytes: cancelled$/);
});

test('a connection is closed with its download, and nothing stays on the signal', async t => {
  await using server = await serve(response => response.end('data'));
  const client = clientOf(t, server);
  const {signal} = new AbortController();
  for (let n = 0; n < 20; n++) await bytesOf(await client.download(recordOf(4), user, signal));
  t.true(await closed(server));
  for (let n = 0; n < 100 && getEventListeners(signal, 'abort').length > 0; n++) await sleep(10);
  t.is(getEventListeners(signal, 'abort').length, 0);
});

/** A server that sends for as long as it is read. */
function endless(): Promise<TestServer> {
  return serve(response => {
    const timer = setInterval(() => response.write('0123456789'), 5);
    response.once('close', () => clearInterval(timer));
  });
}

/** A server that sends these bytes whatever is asked. */
async function startRaw(text: string): Promise<AsyncDisposable & {url: string}> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => socket.write(text));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
