/** Which of Glance's servers is asked, and what happens while nobody says where they are. Scripted servers. */
import {connect} from 'node:net';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {Whereabouts} from '../../src/facade/whereabouts.ts';
import {deadUrl} from '../helpers/with-server.ts';
import {startFacade} from './setup.ts';
import {eventually, exchange, readReply, scripted} from './wire.ts';

const get = (path: string, ...more: string[]) =>
  `${[`GET ${path} HTTP/1.1`, 'Host: glance', ...more, 'Connection: close'].join('\r\n')}\r\n\r\n`;

const answering = (text: string) =>
  scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    socket.end(text);
  });

const never = new AbortController().signal;

test('Glance hangs up without an answer: so does the facade, and asks nobody again', async t => {
  await using upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    socket.resetAndDestroy();
  });
  await using facade = await startFacade({servers: [upstream.url, 'http://127.0.0.1:1']});
  for (const method of ['GET', 'DELETE']) {
    const received = await exchange(facade.port, get('/v2/images').replace('GET', method));
    t.is(received.length, 0);
  }
  t.is(upstream.received.length, 2);
  t.deepEqual(facade.avoided, [upstream.url, upstream.url], 'whoever asks again meets another server');
  t.deepEqual(
    facade.passed.map(({status, error}) => [status, error?.kind]),
    [
      [0, 'unavailable'],
      [0, 'unavailable'],
    ],
  );
});

for (const [status, broken] of [
  ['500 Internal Server Error', true],
  ['502 Bad Gateway', true],
  ['503 Service Unavailable', true],
  ['429 Too Many Requests', false],
  ['501 Not Implemented', false],
  ['404 Not Found', false],
] as const) {
  test(`a server that answers ${status}: the caller gets that, and the next request goes to ${broken ? 'another' : 'the same'}`, async t => {
    await using upstream = await answering(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    await using facade = await startFacade({servers: [upstream.url, 'http://127.0.0.1:1']});
    t.is(readReply(await exchange(facade.port, get('/v2/images'))).status, `HTTP/1.1 ${status}`);
    t.deepEqual(facade.avoided, broken ? [upstream.url] : []);
    t.is(upstream.received.length, 1);
  });
}

test('a caller that leaves before there is an answer is told as such, and says nothing of the server', async t => {
  await using upstream = await scripted(() => {});
  await using facade = await startFacade({servers: [upstream.url]});
  const caller = connect(facade.port, '127.0.0.1');
  caller.write(get('/v2/images'));
  await eventually(() => upstream.received.length === 1);
  caller.destroy();
  await eventually(() => facade.passed.length === 1 && upstream.open() === 0);
  t.like(facade.passed, [{status: 0, error: {kind: 'cancelled'}}]);
  t.deepEqual(facade.avoided, []);
});

test('a server that is down is passed over; when all are, it is 503 with a page, as from a load balancer', async t => {
  await using upstream = await answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const dead = await deadUrl();
  await using facade = await startFacade({servers: [dead, upstream.url]});
  for (const request of [
    get('/v2/images'),
    get('/v2/images', 'Content-Length: 4').replace('GET', 'POST').concat('body'),
  ]) {
    t.is(readReply(await exchange(facade.port, request)).body.toString(), 'ok');
  }
  t.deepEqual(facade.avoided, [dead, dead]);
  t.true(upstream.received[1]?.endsWith('\r\n\r\nbody'));

  await using alone = await startFacade({servers: [dead]});
  const {status, headers, body, whole} = readReply(await exchange(alone.port, get('/v2/images/x')));
  t.is(status, 'HTTP/1.1 503 Service Unavailable');
  t.like(Object.fromEntries(headers), {'Content-Type': 'text/html'});
  t.true(whole && body.length > 0);
  t.is(alone.passed[0]?.error?.kind, 'unavailable');
});

test('a server that takes the connection and never agrees on TLS is passed over, the body with it', async t => {
  await using silent = await scripted(() => {});
  await using upstream = await scripted(async (socket, heard) => {
    await heard('body');
    socket.end('HTTP/1.1 204 No Content\r\n\r\n');
  });
  const deaf = silent.url.replace('http:', 'https:');
  await using facade = await startFacade({servers: [deaf, upstream.url], tls: {insecure: true, connect_timeout: 2}});
  const request = 'POST /v2/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody';
  t.is(readReply(await exchange(facade.port, request)).status, 'HTTP/1.1 204 No Content');
  t.deepEqual(facade.avoided, [deaf]);
  await eventually(() => silent.open() === 0);
});

test('while nobody says where Glance is, it is where it was', async t => {
  await using upstream = await answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  let known: string[] | undefined;
  const servers = async () => known ?? Promise.reject(new CellarError('unavailable', 'Keystone is down'));
  await using facade = await startFacade({servers});
  const ask = async () => readReply(await exchange(facade.port, get('/v2/images'))).status;
  t.is(await ask(), 'HTTP/1.1 503 Service Unavailable');
  t.is(facade.passed[0]?.error?.message, 'Keystone is down');
  known = [upstream.url];
  t.is(await ask(), 'HTTP/1.1 200 OK');
  known = undefined;
  t.is(await ask(), 'HTTP/1.1 200 OK');
});

test('who knows where Glance was does not wait for a Keystone that hangs; the question goes on, and its answer counts', async t => {
  const asked: {signal: AbortSignal; answer: PromiseWithResolvers<string[]>}[] = [];
  let now = 0;
  const whereabouts = new Whereabouts(
    signal => {
      const answer = Promise.withResolvers<string[]>();
      asked.push({signal, answer});
      return answer.promise;
    },
    () => now,
  );
  const caller = new AbortController();
  const first = whereabouts.list(caller.signal);
  const other = whereabouts.list(never);
  caller.abort(new Error('left'));
  await t.throwsAsync(first, {message: 'left'});
  asked[0]?.answer.resolve(['one']);
  t.deepEqual(await other, ['one']);
  t.is(asked.length, 1);

  t.deepEqual(await whereabouts.list(never), ['one'], 'it hangs from here on');
  t.is(asked.length, 2);
  now += 9999;
  t.deepEqual(await whereabouts.list(never), ['one']);
  now += 2;
  const impatient = new AbortController();
  impatient.abort(new Error('gone'));
  await t.throwsAsync(whereabouts.list(impatient.signal), {message: 'gone'});
  t.is(asked.length, 2, 'it is still the same question');
  asked[1]?.answer.resolve(['two']);
  t.deepEqual(await whereabouts.list(never), ['two']);

  const failing = whereabouts.list(never);
  asked.at(-1)?.answer.reject(new Error('Keystone is down'));
  t.deepEqual(await failing, ['two']);
  const count = asked.length;
  t.deepEqual(await whereabouts.list(never), ['two']);
  t.is(asked.length, count, 'nobody is asked again so soon');
  now += 10_001;
  void whereabouts.list(never);
  t.is(asked.length, count + 1);
  whereabouts.close();
  t.true(asked.at(-1)?.signal.aborted);
});

test('while nobody was ever told where Glance is, a Keystone that is down is the reason', async t => {
  const whereabouts = new Whereabouts(async () => Promise.reject(new CellarError('unavailable', 'Keystone is down')));
  for (let time = 0; time < 2; time++)
    await t.throwsAsync(whereabouts.list(never), {instanceOf: CellarError, message: 'Keystone is down'});
});
