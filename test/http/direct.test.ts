import {execFileSync} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import type {ServerResponse} from 'node:http';
import net, {type AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {DirectBody, exchangeDirect} from '../../src/http/direct.ts';
import {Transport, type TransportOptions} from '../../src/http/transport.ts';
import {startServer} from '../helpers/with-server.ts';

const MiB = 1024 * 1024;
const data = randomBytes(24 * MiB + 12_345);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function transportOf(t: ExecutionContext, options: TransportOptions = {}): Transport {
  const transport = new Transport(options);
  t.teardown(() => transport.close());
  return transport;
}

const ask = (transport: Transport, url: string, signal = new AbortController().signal) =>
  exchangeDirect(transport, {method: 'GET', url, signal});

/** Every chunk is held until the last has come. */
async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const held: Uint8Array[] = [];
  for await (const chunk of body) held.push(chunk);
  return Buffer.concat(held);
}

const whole = (response: ServerResponse) => response.writeHead(200, {'content-length': data.length}).end(data);

/** One certificate for 127.0.0.1, which is its own authority. */
function certificate(t: ExecutionContext): {cert: string; key: string; file: string} {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-direct-'));
  t.teardown(() => rmSync(dir, {recursive: true}));
  const [file, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const subject = ['-subj', '/CN=direct', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject];
  execFileSync('openssl', [...args, '-keyout', keyFile, '-out', file], {stdio: 'ignore'});
  return {cert: readFileSync(file, 'utf8'), key: readFileSync(keyFile, 'utf8'), file};
}

for (const tls of [false, true]) {
  test(`a body that is held in memory whole, and one whose chunks are given back, are what was sent${tls ? ' by TLS' : ''}`, async t => {
    const made = tls ? certificate(t) : undefined;
    await using server = await startServer((_request, response) => whole(response), made);
    const transport = transportOf(t, made && {cafile: made.file});
    t.is(sha256(await bytesOf((await ask(transport, server.url)).body)), sha256(data));

    const hash = createHash('sha256');
    const {body} = await ask(transport, server.url);
    const memory = new Set<ArrayBufferLike>();
    t.true(body instanceof DirectBody);
    for await (const chunk of body as DirectBody) {
      memory.add(chunk.buffer);
      await sleep(0); // as a writer that copies it in a thread of its own
      hash.update(chunk);
      (body as DirectBody).recycle(chunk);
    }
    t.is(hash.digest('hex'), sha256(data));
    if (!tls) t.true(memory.size < data.length / (64 * 1024), `${memory.size} buffers`);
  });
}

test('an untrusted certificate and a wrong name are config errors', async t => {
  const {cert, key, file} = certificate(t);
  await using server = await startServer((_request, response) => whole(response), {cert, key});
  await t.throwsAsync(ask(transportOf(t), server.url), {message: /^TLS: /});
  const renamed = server.url.replace('127.0.0.1', 'localhost');
  await t.throwsAsync(ask(transportOf(t, {cafile: file}), renamed), {message: /altnames/});
});

test('the server is held up while nobody reads', async t => {
  let response: ServerResponse | undefined;
  await using server = await startServer((_request, each) => {
    response = each;
    each.writeHead(200, {'content-length': 1024 * MiB});
    const more = () => {
      while (each.write(data));
    };
    each.on('drain', more);
    more();
  });
  const {body} = await ask(transportOf(t), server.url);
  const chunks = body[Symbol.asyncIterator]();
  for (let n = 0; n < 4; n++) await chunks.next(); // past what came with the head
  let before = -1;
  for (; before !== response?.socket?.bytesWritten; await sleep(500)) before = response?.socket?.bytesWritten ?? 0;
  const pending = response?.writableLength ?? 0;
  t.true(before + pending < 60 * MiB && pending > 0, `${before} bytes sent, ${pending} waiting`);
  body.destroy();
});

test('bodies that are not plain come through the parser: chunked ones, those of other statuses, and empty ones', async t => {
  await using server = await startServer(({path}, response) => {
    if (path === '/chunked') response.writeHead(200).end(data.subarray(0, MiB));
    else if (path === '/gone') response.writeHead(410, {'content-length': 4}).end('gone');
    else response.writeHead(200, {'content-length': 0}).end();
    if (path === '/chunked') t.is(response.getHeader('content-length'), undefined);
  });
  const transport = transportOf(t);
  const answerTo = async (path: string) => {
    const {status, body} = await ask(transport, `${server.url}${path}`);
    return {status, bytes: await bytesOf(body)};
  };
  t.deepEqual(await answerTo('/chunked'), {status: 200, bytes: data.subarray(0, MiB)});
  t.deepEqual(await answerTo('/gone'), {status: 410, bytes: Buffer.from('gone')});
  t.deepEqual(await answerTo('/empty'), {status: 200, bytes: Buffer.alloc(0)});
});

/** A server that sends these pieces, one at a time, and closes. */
async function startRaw(t: ExecutionContext, pieces: (string | Uint8Array)[]): Promise<string> {
  const server = net.createServer(async socket => {
    socket.on('error', () => {});
    await once(socket, 'data');
    for (const piece of pieces) {
      socket.write(piece);
      await sleep(20);
    }
    socket.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;

for (const [what, pieces] of [
  ['the head in two pieces', [head(6).slice(0, 20), head(6).slice(20), 'abcdef']],
  ['some of the body with the head', [`${head(6)}abc`, 'def']],
  ['all in one', [`${head(6)}abcdef`]],
  ['a byte at a time', [head(6), 'a', 'b', 'c', 'd', 'e', 'f']],
] as const) {
  test(`the borders of packets do not matter: ${what}`, async t => {
    const {body} = await ask(transportOf(t), await startRaw(t, [...pieces]));
    t.is((await bytesOf(body)).toString(), 'abcdef');
  });
}

for (const [what, pieces] of [
  ['ends early', [head(6), 'abc']],
  ['goes on after its length, in one packet', [head(6), 'abcdefg']],
  ['ends with the head', [head(6)]],
] as const) {
  test(`a body that ${what} fails`, async t => {
    const {body} = await ask(transportOf(t), await startRaw(t, [...pieces]));
    await t.throwsAsync(async () => {
      for await (const _ of body);
    });
  });
}

test('closing the transport, and an abort, end the connection of a body', async t => {
  await using server = await startServer((_request, response) => {
    response.writeHead(200, {'content-length': 10}).write('01234');
  });
  const transport = transportOf(t);
  const aborted = new AbortController();
  const bodies = [await ask(transport, server.url), await ask(transport, server.url, aborted.signal)];
  t.is(await server.connections(), 2);
  aborted.abort();
  transport.close();
  for (const {body} of bodies)
    await t.throwsAsync(async () => {
      for await (const _ of body);
    });
  while ((await server.connections()) > 0) await sleep(10);
  t.pass();
});

test('what came in one piece with the head is read first, however late its reader begins', async t => {
  const bytes = data.subarray(0, 3 * MiB);
  const first = Buffer.concat([Buffer.from(head(bytes.length)), bytes.subarray(0, 1000)]);
  const {body} = await ask(transportOf(t), await startRaw(t, [first, bytes.subarray(1000)]));
  await sleep(300);
  t.is(sha256(await bytesOf(body)), sha256(bytes));
});

test('a whole body that came in one piece with the head is there, also when the connection has closed by then', async t => {
  const bytes = data.subarray(0, 100_000);
  const piece = Buffer.concat([Buffer.from(head(bytes.length)), bytes]);
  const {body} = await ask(transportOf(t), await startRaw(t, [piece]));
  await sleep(300);
  t.is(sha256(await bytesOf(body)), sha256(bytes));
});

test('an answer that leaves HTTP is none', async t => {
  const server = net.createServer(socket =>
    socket.on('error', () => {}).write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const error = await t.throwsAsync(ask(transportOf(t), url));
  t.regex(error?.message ?? '', /closed without an answer/);
});
