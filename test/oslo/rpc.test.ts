import {connect} from 'amqplib';
import test from 'ava';
import type {BusEvent} from '../../src/oslo/events.ts';
import {RemoteError} from '../../src/oslo/remote-error.ts';
import {type Call, RpcClient, type RpcOptions} from '../../src/oslo/rpc.ts';
import {fails} from '../helpers/fails.ts';
import {password, privateRabbit, type Rabbit, type RpcServer, rpcServer} from './rabbit.ts';

let rabbit: Rabbit;
let server: RpcServer;
test.before(async () => {
  rabbit = await privateRabbit();
  server = await rpcServer(rabbit.url);
});
test.after.always(async () => {
  await server?.[Symbol.asyncDispose]();
  await rabbit?.[Symbol.asyncDispose]();
});

type Closing = {teardown(close: () => Promise<void>): void};

function client(t: Closing, options: Partial<RpcOptions> = {}): RpcClient & {events: BusEvent[]} {
  const events: BusEvent[] = [];
  const rpc = new RpcClient({url: rabbit.url, emit: event => events.push(event), ...options});
  t.teardown(() => rpc.close());
  return Object.assign(rpc, {events});
}

const call = (method: string, args: Record<string, unknown> = {}, more: Partial<Call> = {}): Call => ({
  topic: 'conductor',
  version: '3.0',
  method,
  args,
  signal: new AbortController().signal,
  ...more,
});

test.serial('what goes out comes back', async t => {
  const rpc = client(t);
  const args = {text: 'snow \u2603 \u{1f600} "\\\n\u0000', list: [1, 2.5, null, true, {}], nested: {a: {b: [[]]}}};
  t.deepEqual(await rpc.call(call('echo', args)), args);
  t.is(await rpc.call(call('echo', args, {server: 'server1'})).then(JSON.stringify), JSON.stringify(args));
  t.is(await rpc.call(call('big', {size: 3_000_000})), 'x'.repeat(3_000_000));
  t.is(await rpc.call(call('count', {name: 'x'})), null);
  t.is(rpc.inFlight, 0);
});

test.serial('the context arrives', async t => {
  const rpc = client(t);
  const got = (await rpc.call(call('context'))) as Record<string, unknown>;
  t.like(got, {is_admin: true, read_deleted: 'no'});
  t.regex(String(got['request_id']), /^req-[0-9a-f-]{36}$/);
  t.like(await rpc.call(call('context', {}, {context: {request_id: 'req-1'}})), {request_id: 'req-1'});
});

test.serial('many calls at once each get their own answer', async t => {
  const rpc = client(t);
  const answers = await Promise.all(Array.from({length: 100}, (_, n) => rpc.call(call('echo', {n}))));
  t.deepEqual(
    answers,
    Array.from({length: 100}, (_, n) => ({n})),
  );
});

test.serial('what the procedure throws is an error with its class, its message and no password', async t => {
  const rpc = client(t);
  const error = await fails(t, rpc.call(call('fail')), 'not-found', /HostNotFound: no host at mysql:\/\/\*\*\*@db\/x/);
  t.true(error instanceof RemoteError);
  t.like((error as RemoteError).remote, {class: 'HostNotFound', module: '__main__', kwargs: {host: 'h', code: 404}});
  t.regex((error as RemoteError).remote.traceback, /Traceback.*in fail/s);
  t.notRegex(JSON.stringify(error), /Traceback/);
  await fails(t, rpc.call(call('refuse')), 'internal', /ValueError: bad\nvalue \u2603/);
});

test.serial('what the server does not have is told by it', async t => {
  const rpc = client(t);
  await fails(t, rpc.call(call('nope')), 'config', /NoSuchMethod/);
  await fails(t, rpc.call(call('echo', {}, {version: '3.1'})), 'config', /UnsupportedVersion/);
  await fails(t, rpc.call(call('echo', {}, {namespace: 'nope'})), 'config', /UnsupportedVersion/);
});

test.serial('nobody listens: told at once, and other calls go on', async t => {
  const rpc = client(t);
  const waiting = rpc.call(call('wait', {seconds: 1}));
  await server.printed('ran wait');
  const error = await fails(
    t,
    rpc.call(call('x', {}, {topic: 'scheduler'})),
    'unavailable',
    /nobody listens in vhost "cell1"/,
  );
  t.regex(error.hint ?? '', /no scheduler listens on exchange nova/);
  await fails(t, rpc.call(call('x', {}, {server: 'nobody'})), 'unavailable', /to conductor\.nobody: nobody listens/);
  t.is(await waiting, 'waited');
});

test.serial('an exchange that is not there: told at once, and the client goes on', async t => {
  const rpc = client(t, {exchange: 'nope'});
  for (let i = 0; i < 3; i++) await fails(t, rpc.call(call('echo')), 'unavailable', /there is no exchange nope/);
  t.is(rpc.events.filter(({type}) => type === 'bus-lost').length, 0);
});

test.serial('an exchange we may not write to is forbidden', async t => {
  await rabbit.ctl('add_user', 'reader', password);
  await rabbit.ctl('set_permissions', '-p', 'cell1', 'reader', '.*', '^reply_', '.*');
  const rpc = client(t, {url: rabbit.url.replace('//nova:', '//reader:')});
  await fails(t, rpc.call(call('echo')), 'forbidden', /access to exchange 'nova'/);
});

test.serial('a server that does not answer: timeout, and what is said of it', async t => {
  const rpc = client(t);
  const doubt = await fails(
    t,
    rpc.call(call('wait', {seconds: 3}, {timeoutMs: 300})),
    'timeout',
    /no answer within 0.3 s/,
  );
  t.regex(doubt.message, /it may or may not have been done/);
  const sure = await fails(
    t,
    rpc.call(call('wait', {seconds: 3}, {timeoutMs: 300, idempotent: true})),
    'timeout',
    /0.3 s/,
  );
  t.notRegex(sure.message, /may or may not/);
  // Its answers come late, and are dropped.
  await rpc.call(call('wait', {seconds: 5}));
  t.is(rpc.events.filter(event => event.type === 'reply-dropped' && event.why === 'late').length, 2);
});

test.serial('signs of life: a call that works on is waited for, to the deadline', async t => {
  const rpc = client(t);
  t.is(await rpc.call(call('wait', {seconds: 4}, {monitorMs: 2000})), 'waited');
  await fails(t, rpc.call(call('wait', {seconds: 8}, {monitorMs: 2000, timeoutMs: 3000})), 'timeout', /within 3 s/);
});

test.serial('cancelled by its caller', async t => {
  const rpc = client(t);
  const stop = new AbortController();
  const waiting = rpc.call(call('wait', {seconds: 2}, {signal: stop.signal}));
  await server.printed('ran wait');
  stop.abort();
  await fails(t, waiting, 'cancelled', /wait to conductor: cancelled/);
  await fails(t, rpc.call(call('echo', {}, {signal: stop.signal})), 'cancelled', /./);
  await fails(t, rpc.call(call('wait', {seconds: 2}, {signal: AbortSignal.timeout(200)})), 'timeout', /deadline/);
  t.is(rpc.inFlight, 0);
});

test.serial('closed: calls are cancelled, the reply queue is given back', async t => {
  const rpc = new RpcClient({url: rabbit.url});
  const waiting = rpc.call(call('wait', {seconds: 1}));
  const cancelled = fails(t, waiting, 'cancelled', /the RPC client is closed/);
  await rpc.connected(AbortSignal.timeout(10_000));
  await rpc.close();
  await cancelled;
  await fails(t, rpc.call(call('echo')), 'cancelled', /the RPC client is closed/);
  await rpc.close();
});

test.serial('a limit of calls', async t => {
  const rpc = client(t, {limit: 2});
  const waiting = [rpc.call(call('wait', {seconds: 1})), rpc.call(call('wait', {seconds: 1}))];
  await fails(t, rpc.call(call('echo')), 'unavailable', /2 calls wait for an answer already/);
  await Promise.all(waiting);
  await t.notThrowsAsync(rpc.call(call('echo')));
});

test.serial('an object that was not sealed does not go out', async t => {
  const rpc = client(t);
  const before = server.lines.length;
  const object = {'nova_object.name': 'Service', 'nova_object.version': '1.0'};
  for (const args of [{object}, {list: [{deep: object}]}]) {
    await fails(t, rpc.call(call('echo', args)), 'internal', /Service is not of a version that was agreed on/);
  }
  t.is(rpc.epoch, undefined);
  t.is(server.lines.length, before);
});

test.serial('logins that are wrong are told at once, without the password', async t => {
  const wrong = async (
    url: string,
    kind: Parameters<typeof fails>[2],
    message: RegExp,
    more: Partial<RpcOptions> = {},
  ) => {
    const rpc = client(t, {url, ...more});
    await fails(t, rpc.call(call('echo')), kind, message);
  };
  for (const rabbit_login_method of ['PLAIN', 'AMQPLAIN'] as const) {
    const rabbit_ = {rabbit: {rabbit_login_method}};
    await wrong(
      rabbit.url.replace(password, 's3cr3t-other'),
      'unauthorized',
      /127.0.0.1:\d+: the user or the password/,
      rabbit_,
    );
    await t.notThrowsAsync(client(t, rabbit_).call(call('echo')));
  }
  await wrong(rabbit.url.replace('nova:', 'nobody:'), 'unauthorized', /the user or the password is not accepted/);
  await wrong(rabbit.url.replace('/cell1', '/nope'), 'config', /there is no vhost "nope", or/);
  await wrong(rabbit.url.replace('//nova:', '//reader2:'), 'unauthorized', /./);
  await rabbit.ctl('add_user', 'reader2', password);
  await wrong(rabbit.url.replace('//nova:', '//reader2:'), 'config', /no vhost "cell1", or the user may not use it/);
  await wrong(rabbit.url, 'config', /SASL mechanism EXTERNAL/, {rabbit: {rabbit_login_method: 'EXTERNAL'}});
  await wrong(`${rabbit.url}?ssl=1`, 'config', /does not speak TLS/);
});

test.serial('of two brokers one is dead: the other serves', async t => {
  const [, rest = ''] = rabbit.url.split('@');
  const dead = `rabbit://nova:${password}@127.0.0.1:1,nova:${password}@${rest}`;
  for (let i = 0; i < 4; i++) t.deepEqual(await client(t, {url: dead}).call(call('echo', {i})), {i});
});

test.serial('no broker at all: unavailable at the deadline, with the reason', async t => {
  const rpc = client(t, {url: `rabbit://nova:${password}@127.0.0.1:1/cell1`});
  await fails(
    t,
    rpc.call(call('echo', {}, {timeoutMs: 500})),
    'unavailable',
    /RabbitMQ at 127.0.0.1:1: connect ECONNREFUSED/,
  );
  const error = await fails(t, rpc.call(call('echo', {}, {timeoutMs: 500})), 'unavailable', /ECONNREFUSED/);
  t.notRegex(error.message, /may or may not/);
});

test.serial('answers that are none, of others, twice, or late are dropped', async t => {
  const rpc = client(t);
  const model = await connect(rabbit.url.replace('rabbit:', 'amqp:'));
  const channel = await model.createChannel();
  t.teardown(() => model.close());
  const {queue} = await channel.assertQueue('', {exclusive: true});
  await channel.bindQueue(queue, 'nova', 'stubborn');
  const answered = Promise.withResolvers<void>();
  await channel.consume(queue, message => {
    const request = JSON.parse(JSON.parse(String(message?.content))['oslo.message']);
    const say = (body: object | string, contentType = 'application/json') =>
      channel.sendToQueue(request._reply_q, Buffer.from(typeof body === 'string' ? body : envelope(body)), {
        contentType,
      });
    const reply = {_msg_id: request._msg_id, result: 'right', failure: null, ending: true};
    say({...reply, result: 'wrong'}, 'text/plain');
    say('not JSON');
    say('[]');
    say({...reply, _msg_id: 'somebody', result: 'wrong'});
    say({...reply, _msg_id: 7, result: 'wrong'});
    say({...reply, ending: false, _unique_id: 'a', result: null});
    say({...reply, ending: true, _unique_id: 'a', result: 'wrong'});
    say({...reply, ending: false, _unique_id: 'b'});
    say({...reply, ending: true, _unique_id: 'c', result: null});
    say({...reply, ending: true, _unique_id: 'd', result: 'wrong'});
    answered.resolve();
  });
  t.is(await rpc.call(call('any', {}, {topic: 'stubborn'})), 'right');
  await answered.promise;
  await rpc.call(call('echo'));
  const dropped = rpc.events.flatMap(event => (event.type === 'reply-dropped' ? [event.why] : []));
  t.deepEqual(dropped, ['unreadable', 'unreadable', 'unreadable', 'late', 'unreadable', 'duplicate', 'late']);
});

const envelope = (message: object) => JSON.stringify({'oslo.version': '2.0', 'oslo.message': JSON.stringify(message)});

test.serial('the message is oslo.messaging\u2019s, to the property', async t => {
  const rpc = client(t);
  const model = await connect(rabbit.url.replace('rabbit:', 'amqp:'));
  const channel = await model.createChannel();
  t.teardown(() => model.close());
  const {queue} = await channel.assertQueue('', {exclusive: true});
  await channel.bindQueue(queue, 'nova', 'seen.one');
  const sent = rpc.call(
    call('m', {a: 1}, {topic: 'seen', server: 'one', namespace: 'n', timeoutMs: 60_000, monitorMs: 5000}),
  );
  sent.catch(() => {});
  const {promise, resolve} = Promise.withResolvers<import('amqplib').ConsumeMessage | null>();
  await channel.consume(queue, resolve, {noAck: true});
  const message = await promise;
  const {properties, fields, content} = message ?? t.fail();
  t.like(properties, {
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    deliveryMode: 2,
    priority: 0,
    headers: {},
  });
  t.true(Number(properties.expiration) > 50_000 && Number(properties.expiration) <= 60_000, properties.expiration);
  t.is(fields.exchange, 'nova');
  const outer = JSON.parse(String(content));
  t.is(outer['oslo.version'], '2.0');
  const inner = JSON.parse(outer['oslo.message']);
  t.like(inner, {method: 'm', namespace: 'n', version: '3.0', args: {a: 1}, _timeout: 5});
  t.regex(inner._reply_q, /^reply_[0-9a-f]{32}$/);
  t.regex(inner._msg_id, /^[0-9a-f]{32}$/);
  t.regex(inner._unique_id, /^[0-9a-f]{32}$/);
});

test.serial('1000 calls in flight cost little, and each is answered or told', async t => {
  const rpc = client(t);
  const payload = 'x'.repeat(2000);
  server.process.kill('SIGSTOP');
  try {
    await rpc.connected(AbortSignal.timeout(30_000));
    const before = process.memoryUsage().heapUsed;
    const calls = Array.from({length: 1000}, () => rpc.call(call('echo', {payload})));
    t.is(rpc.inFlight, 1000);
    while (
      Number(
        (await rabbit.ctl('list_queues', '-p', 'cell1', '--no-table-headers', 'name', 'messages')).match(
          /^conductor\t(\d+)$/m,
        )?.[1],
      ) < 900
    );
    const grown = process.memoryUsage().heapUsed - before;
    t.true(grown < 60_000_000, `${grown} bytes`);
    server.process.kill('SIGCONT');
    const settled = await Promise.allSettled(calls);
    t.is(settled.filter(({status}) => status === 'fulfilled').length, 1000);
    t.is(rpc.inFlight, 0);
  } finally {
    server.process.kill('SIGCONT');
  }
});
