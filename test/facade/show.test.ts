/** The one answer that is touched: when it is, and when it is left alone. A scripted Glance, and offers on demand. */
import {once} from 'node:events';
import {connect} from 'node:net';
import test from 'ava';
import type {ImageRecord, Requester} from '../../src/core/image.ts';
import type {EarlyOffer, Offered, OfferOptions} from '../../src/core/offer.ts';
import {imageId, imageJson} from '../helpers/glance-image.ts';
import {type SetUp, startFacade} from './setup.ts';
import {collect, eventually, exchange, readReply, scripted} from './wire.ts';

const path = `/v2/images/${imageId}`;
const offered: Offered = {offer: {fsid: 'f', pool: 'cellar', image: `${imageId}.01`, snapshot: 'snap', raw: true}};
const url = `rbd://f/cellar/${imageId}.01/snap`;

const get = (where = path, ...more: string[]) =>
  `${[`GET ${where} HTTP/1.1`, 'Host: glance', ...more, 'Connection: close'].join('\r\n')}\r\n\r\n`;

type Asked = {image: ImageRecord; requester: Requester; options: OfferOptions};

/** Glance answers everything with this; the offer is what `offer` says. */
async function setUp(
  answer: string | Buffer,
  offer: (asked: Asked) => Promise<Offered> = async () => offered,
  options: Partial<SetUp> = {},
) {
  const asked: Asked[] = [];
  let now = answer;
  const upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    socket.end(now);
  });
  const facade = await startFacade({
    servers: [upstream.url],
    offer: (image, requester, given) => {
      asked.push({image, requester, options: given});
      return offer({image, requester, options: given});
    },
    ...options,
  });
  return {
    upstream,
    facade,
    asked,
    /** From now on. */
    answer(next: string) {
      now = next;
    },
    async [Symbol.asyncDispose]() {
      await facade[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

const head = (length: number, type = 'application/json', more = '') =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nContent-Type: ${type}\r\n${more}X-Openstack-Request-Id: req-x\r\n\r\n`;

const text = JSON.stringify(imageJson({disk_format: 'qcow2', name: '\u00e9\u{1f4be}'}));
const answerOf = (body: string, type?: string, more?: string) => head(Buffer.byteLength(body), type, more) + body;

test("the record of an active image: the offer comes first in it, asked for with the caller's token", async t => {
  await using fixture = await setUp(answerOf(text));
  const received = await exchange(
    fixture.facade.port,
    get(path, 'X-Auth-Token: tok', 'X-OpenStack-Request-ID: req-1', 'accept-encoding: gzip'),
  );
  const {status, headers, body, whole} = readReply(received);
  t.is(status, 'HTTP/1.1 200 OK');
  t.true(whole);
  t.deepEqual(
    headers.map(([name]) => name),
    ['Content-Length', 'Content-Type', 'X-Openstack-Request-Id'],
  );
  const before = JSON.parse(text);
  t.deepEqual(JSON.parse(body.toString()), {
    ...before,
    disk_format: 'raw',
    locations: [{url, metadata: {}}, ...before.locations],
  });
  t.like(fixture.asked, [
    {
      image: {id: imageId, diskFormat: 'qcow2'},
      requester: {token: 'tok', requestId: 'req-1'},
      options: {mayFill: true, hold: 60_000},
    },
  ]);
  t.true(fixture.upstream.received[0]?.includes('\r\naccept-encoding: identity\r\n'));
  t.like(fixture.facade.shown, [{image: imageId, offered: `cellar/${imageId}.01@snap in f`, requestId: 'req-1'}]);
});

test('an answer in chunks gets a length, with a query in the path too', async t => {
  const chunked = `HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nTransfer-Encoding: chunked\r\n\r\n${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`;
  await using fixture = await setUp(chunked);
  const {body, whole} = readReply(await exchange(fixture.facade.port, get(`${path}?a=b`)));
  t.true(whole);
  t.is(JSON.parse(body.toString()).locations[0].url, url);
});

for (const [what, answer, where] of [
  ['another status', answerOf(text).replace('200 OK', '203 Else')],
  ['no JSON by its type', answerOf(text, 'text/plain')],
  ['no JSON in fact', answerOf(text.slice(0, -1))],
  ['JSON that is no record', answerOf('[1, 2]')],
  ['the record of another image', answerOf(text.replaceAll(imageId, imageId.replace('b', 'c')))],
  ['a compressed body', answerOf(text, undefined, 'Content-Encoding: gzip\r\n')],
  ['an image that is queued', answerOf(JSON.stringify(imageJson({status: 'queued'})))],
  ['an image that is deactivated', answerOf(JSON.stringify(imageJson({status: 'deactivated'})))],
  ['a body that is too large', answerOf(JSON.stringify(imageJson({name: 'x'.repeat(5 << 20)})))],
  ['members', answerOf(text), `${path}/members`],
  ['the data', answerOf(text), `${path}/file`],
  ['the list', answerOf(text), '/v2/images'],
  ['a slash at the end', answerOf(text), `${path}/`],
  ['a doubled slash', answerOf(text), `/v2//images/${imageId}`],
] as const) {
  test(`left alone, and nothing looked for: ${what}`, async t => {
    await using fixture = await setUp(answer);
    const direct = readReply(await exchange(fixture.upstream.port, get(where)));
    const through = readReply(await exchange(fixture.facade.port, get(where)));
    t.true(through.body.equals(direct.body)); // apart: the test runner is slow with large ones
    t.deepEqual({...through, body: ''}, {...direct, body: ''});
    t.deepEqual(fixture.asked, []);
  });
}

test('a record in chunks that turns out too large goes on as it is', async t => {
  const large = Buffer.from(JSON.stringify(imageJson({name: 'x'.repeat(9 << 20)})));
  const parts = Array.from({length: 10}, (_, index) => large.subarray(index << 20, (index + 1) << 20)).filter(
    part => part.length > 0,
  );
  const chunks = parts.map(part => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
  await using fixture = await setUp(
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
  );
  const {body, whole} = readReply(await exchange(fixture.facade.port, get()));
  t.true(whole);
  t.true(body.equals(large));
  t.deepEqual(fixture.asked, []);
});

for (const method of ['HEAD', 'PATCH', 'DELETE']) {
  test(`${method} of an image is not looked at`, async t => {
    await using fixture = await setUp(answerOf(method === 'HEAD' ? '' : text));
    const request = get().replace('GET', method);
    const direct = readReply(await exchange(fixture.upstream.port, request));
    t.deepEqual(readReply(await exchange(fixture.facade.port, request)), direct);
    t.deepEqual(fixture.asked, []);
  });
}

test("nothing to offer: the answer is Glance's own, and the reason is told", async t => {
  await using fixture = await setUp(answerOf(text), async () => ({why: 'because', reason: 'failed'}));
  const direct = readReply(await exchange(fixture.upstream.port, get()));
  t.deepEqual(readReply(await exchange(fixture.facade.port, get())), direct);
  t.like(fixture.facade.shown, [{image: imageId, why: 'because'}]);
});

test('so it is when the offer breaks', async t => {
  await using fixture = await setUp(answerOf(text), () => Promise.reject(new Error('a bug')));
  const direct = readReply(await exchange(fixture.upstream.port, get()));
  t.deepEqual(readReply(await exchange(fixture.facade.port, get())), direct);
  t.like(fixture.facade.shown, [{why: 'a bug'}]);
});

test('a caller that leaves while it is held: the offer is told', async t => {
  await using fixture = await setUp(answerOf(text), () => new Promise(() => {}));
  const caller = connect(fixture.facade.port, '127.0.0.1');
  caller.write(get());
  await eventually(() => fixture.asked.length === 1);
  t.false(fixture.asked[0]?.options.signal.aborted);
  caller.destroy();
  await eventually(() => fixture.asked[0]?.options.signal.aborted ?? false);
  await eventually(() => fixture.facade.facade.inFlight === 0);
});

test('after an upload through the facade nothing is filled for the image, for others it is', async t => {
  await using fixture = await setUp(answerOf(text));
  const {port} = fixture.facade;
  await exchange(port, get());
  await exchange(
    port,
    `PUT ${path.toUpperCase().replace('/V2/IMAGES', '/v2/images')}/file HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`,
  );
  await exchange(port, get());
  t.deepEqual(
    fixture.asked.map(({options}) => options.mayFill),
    [true, false],
  );
});

test('an upload that Glance refuses is none', async t => {
  await using fixture = await setUp(answerOf(text).replace('200 OK', '409 Conflict'));
  const upload = `PUT ${path}/file HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx`;
  t.is(readReply(await exchange(fixture.facade.port, upload)).status, 'HTTP/1.1 409 Conflict');
  fixture.answer(answerOf(text));
  await exchange(fixture.facade.port, get());
  t.deepEqual(
    fixture.asked.map(({options}) => options.mayFill),
    [true],
  );
});

test('the look for a copy begins before Glance answers, and ends with a no of its', async t => {
  const looks: {id: string; signal: AbortSignal; asked: number}[] = [];
  const early = {} as EarlyOffer;
  await using fixture = await setUp(answerOf(text), undefined, {
    begin: (id, signal) => {
      looks.push({id, signal, asked: fixture.upstream.received.length});
      return early;
    },
  });
  await exchange(fixture.facade.port, get());
  t.like(looks, [{id: imageId, asked: 0}]);
  t.is(fixture.asked[0]?.options.begun, early);
  fixture.answer('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  const caller = connect(fixture.facade.port, '127.0.0.1');
  caller.write(get().replace('Connection: close\r\n', ''));
  await once(caller, 'data');
  t.is(looks.length, 2);
  t.is(fixture.asked.length, 1);
  await eventually(() => looks[1]?.signal.aborted ?? false);
  caller.destroy();
  await exchange(fixture.facade.port, get('/v2/schemas/image'));
  t.is(looks.length, 2);
});

test('the agent stops: what is held is 503 at once, what runs may end, and new connections are refused', async t => {
  await using upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    const request = upstream.received.at(-1) ?? '';
    if (!request.includes('/file')) return void socket.end(answerOf(text));
    socket.write(`${head(4, 'application/octet-stream')}ha`);
    await go.promise;
    socket.end('lf');
  });
  const go = Promise.withResolvers<void>();
  let held: AbortSignal | undefined;
  await using facade = await startFacade({
    servers: [upstream.url],
    offer: (_image, _requester, {signal}) => {
      held = signal;
      return new Promise(() => {});
    },
  });
  const download = connect(facade.port, '127.0.0.1');
  download.write(get(`${path}/file`));
  await once(download, 'data');
  const rest = collect(download);
  const other = 'X-OpenStack-Request-ID: req-11111111-2222-4333-8444-555555555555'; // or it would be who reads the file
  const waiting = exchange(facade.port, get(path, other).replace('Connection: close\r\n', ''));
  const idle = connect(facade.port, '127.0.0.1');
  await once(idle, 'connect');
  await eventually(() => held !== undefined);
  const drained = facade.facade.drain(AbortSignal.timeout(60_000));
  const {status, headers} = readReply(await waiting);
  t.is(status, 'HTTP/1.1 503 Service Unavailable');
  t.like(Object.fromEntries(headers), {'Content-Type': 'text/html'});
  t.true(held?.aborted);
  await t.throwsAsync(once(connect(facade.port, '127.0.0.1'), 'connect'), {code: 'ECONNREFUSED'});
  go.resolve();
  t.true((await rest).toString().endsWith('lf'));
  await drained;
});

test('what still runs when the time is over is cut', async t => {
  await using upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    socket.write(`${head(4, 'application/octet-stream')}ha`);
  });
  await using facade = await startFacade({servers: [upstream.url]});
  const download = connect(facade.port, '127.0.0.1');
  download.on('error', () => {});
  download.write(get(`${path}/file`));
  await once(download, 'data');
  await facade.facade.drain(AbortSignal.abort());
  t.false(readReply(await collect(download)).whole);
  await eventually(() => upstream.open() === 0);
});
