/** Who reads an image's file is told of the file's format to the end, whatever the cell gets meanwhile. A scripted Glance. */
import {once} from 'node:events';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import type {Offered} from '../../src/core/offer.ts';
import {Downloads} from '../../src/facade/downloads.ts';
import {imageId, imageJson} from '../helpers/glance-image.ts';
import {startFacade} from './setup.ts';
import {collect, eventually, exchange, readReply, scripted} from './wire.ts';

const path = `/v2/images/${imageId}`;
const req = (digit: number) => `req-${String(digit).repeat(8)}-2222-4333-8444-555555555555`;
const answerOf = (body: string, type: string) =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\nContent-Type: ${type}\r\n\r\n${body}`;
const record = JSON.stringify(imageJson({disk_format: 'qcow2'}));

const get = (where: string, requestId?: string) =>
  `GET ${where} HTTP/1.1\r\nHost: glance\r\n${requestId ? `X-OpenStack-Request-ID: ${requestId}\r\n` : ''}Connection: close\r\n\r\n`;

const nothing: Offered = {why: 'the fill takes longer', reason: 'takes-too-long'};
const copy: Offered = {offer: {fsid: 'f', pool: 'cellar', image: `${imageId}.01`, snapshot: 'snap', raw: true}};

/** A facade that has nothing to offer until `publish`. */
async function setUp(t: ExecutionContext, offered = nothing, clock?: () => number) {
  let now = offered;
  let asked = 0;
  const begun: string[] = [];
  const upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    const isFile = (upstream.received.at(-1) ?? '').includes('/file');
    socket.end(isFile ? answerOf('QFI!', 'application/octet-stream') : answerOf(record, 'application/json'));
  });
  const facade = await startFacade({
    servers: [upstream.url],
    ...(clock && {now: clock}),
    begin: id => {
      begun.push(id);
      return undefined as never;
    },
    offer: async () => {
      asked++;
      return now;
    },
  });
  t.teardown(async () => {
    await facade[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });
  const ask = async (where: string, requestId?: string) =>
    readReply(await exchange(facade.port, get(where, requestId))).body.toString();
  return {
    facade,
    publish: () => {
      now = copy;
    },
    /** The format that the caller is told. */
    format: async (requestId?: string) => JSON.parse(await ask(path, requestId)).disk_format as string,
    /** The record, to the byte. */
    show: (requestId?: string) => ask(path, requestId),
    download: (requestId?: string) => ask(`${path.replace(imageId, imageId.toUpperCase())}/file`, requestId),
    asked: () => asked,
    begun,
  };
}

test('who was told of nothing is told of nothing again in the same piece of work, and is not held; another one is shown the copy', async t => {
  const {show, format, publish, download, asked, begun, facade} = await setUp(t);
  t.is(await show(req(1)), record);
  publish();
  t.is(await show(req(1)), record);
  await download(req(1));
  t.is(await show(req(1)), record);
  t.deepEqual([asked(), begun], [1, [imageId]]);
  t.is(await format(req(2)), 'raw');
  t.is(await format(), 'raw');
  t.deepEqual(
    facade.shown.map(({reason}) => reason),
    ['takes-too-long', 'as-before', 'as-before', undefined, undefined],
  );
});

test('who reads the file after he was shown the copy, as pre-caching does, is told what the file is when he has it', async t => {
  const {show, format, download} = await setUp(t, copy);
  t.is(await format(req(1)), 'raw');
  t.is(await download(req(1)), 'QFI!');
  t.is(await show(req(1)), record);
  t.is(await format(req(2)), 'raw');
  t.is(await format(), 'raw');
});

test('without a request id who reads the file is any other without one', async t => {
  const {show, format, publish, download} = await setUp(t);
  t.is(await show(), record);
  publish();
  t.is(await format(), 'raw', 'nobody knows whether he is the same');
  await download();
  t.is(await show(), record);
  t.is(await show('req-of another form'), record);
  t.is(await format(req(1)), 'raw');
});

test('an image whose file is still on its way is shown as it is to its reader, also while the agent stops', async t => {
  await using upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    if (!(upstream.received.at(-1) ?? '').includes('/file'))
      return void socket.end(answerOf(record, 'application/json'));
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nQF');
    await go.promise;
    socket.end('I!');
  });
  const go = Promise.withResolvers<void>();
  await using facade = await startFacade({servers: [upstream.url], offer: async () => copy});
  const reader = connect(facade.port, '127.0.0.1');
  reader.write(get(`${path}/file`, req(1)).replace('Connection: close\r\n', ''));
  await once(reader, 'data');
  t.is(readReply(await exchange(facade.port, get(path, req(1)))).body.toString(), record);

  const rest = collect(reader);
  const drained = facade.facade.drain(AbortSignal.timeout(60_000));
  reader.write(get(path, req(1)));
  await eventually(() => facade.facade.inFlight === 2);
  go.resolve();
  t.is(readReply((await rest).subarray(4)).body.toString(), record);
  await drained;
});

test('further servers of one request are shown the copy, some time after its file was read; the looks in between are no new beginning', async t => {
  const clock = {now: performance.now()};
  const {show, format, publish, download, facade} = await setUp(t, nothing, () => clock.now);
  t.is(await show(req(1)), record);
  publish();
  clock.now += 20 * 3600_000; // a long one
  await download(req(1));
  await eventually(() => facade.facade.inFlight === 0);
  clock.now += 500_000;
  t.is(await show(req(1)), record);
  clock.now += 99_000;
  t.is(await show(req(1)), record);
  clock.now += 2000;
  t.is(await format(req(1)), 'raw');
});

test('what is remembered of downloads: for a day, when they are over or without a request id for ten minutes, and so many of them', t => {
  let now = 1;
  const downloads = new Downloads(() => now);
  const hour = 3600_000;
  downloads.noteRecord('A', req(1));
  downloads.noteFile('b', req(1));
  downloads.noteFile('b', undefined);
  downloads.noteRecord('a', undefined);
  const has = () => [
    downloads.has('a', req(1)),
    downloads.has('B', req(1)),
    downloads.has('b', undefined),
    downloads.has('a', undefined),
    downloads.has('a', req(2)),
  ];
  t.deepEqual(has(), [true, true, true, false, false]);
  now += hour / 4;
  t.deepEqual(has(), [true, true, false, false, false]);
  now += 23 * hour;
  downloads.noteFile('b', req(1));
  now += 2 * hour;
  t.deepEqual(has(), [false, true, false, false, false]);
  downloads.noteEnd('b', req(1));
  downloads.noteEnd('b', undefined);
  t.deepEqual(has(), [false, true, true, false, false]);
  now += hour / 4;
  t.deepEqual(has(), [false, false, false, false, false]);
  for (let index = 0; index < 5000; index++) downloads.noteRecord(`image ${index}`, req(1));
  t.false(downloads.has('image 0', req(1)) || downloads.has('b', req(1)));
  t.true(downloads.has('image 4999', req(1)));
});
