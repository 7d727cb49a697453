import {spawn} from 'node:child_process';
import {once} from 'node:events';
import net from 'node:net';
import test from 'ava';
import type {BusEvent} from '../../src/oslo/events.ts';
import {type Call, RpcClient, type RpcOptions} from '../../src/oslo/rpc.ts';
import {fails} from '../helpers/fails.ts';
import {password, privateRabbit, type Rabbit, type RpcServer, rpcServer} from './rabbit.ts';
import {tcpProxy} from './tcp-proxy.ts';

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

/** Pauses short enough for a test. */
const brisk = {rabbit_retry_interval: 1, rabbit_retry_backoff: 0};

class Client extends RpcClient {
  readonly events: BusEvent[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(options: Partial<RpcOptions> = {}) {
    super({
      url: rabbit.url,
      ...options,
      rabbit: {...brisk, ...options.rabbit},
      emit: event => {
        this.events.push(event);
        for (const watcher of this.#watchers) watcher();
      },
    });
  }

  async saw(type: BusEvent['type'], count = 1): Promise<void> {
    while (this.events.filter(event => event.type === type).length < count) {
      await new Promise<void>(resolve => this.#watchers.add(resolve));
    }
  }
}

const call = (method: string, args: Record<string, unknown> = {}, more: Partial<Call> = {}): Call => ({
  topic: 'conductor',
  version: '3.0',
  method,
  args,
  signal: new AbortController().signal,
  ...more,
});

const through = (port: number) => rabbit.url.replace(/:\d+\//, `:${port}/`);

test.serial('RabbitMQ is restarted amid idempotent calls: every one is answered', async t => {
  const rpc = new Client();
  t.teardown(() => rpc.close());
  const once = {idempotent: true, timeoutMs: 120_000};
  let restarted = false;
  const worker = async (id: number) => {
    let n = 0;
    // At least one that began after the restart.
    for (let last = false; !last; n++) {
      last = restarted;
      t.deepEqual(await rpc.call(call('echo', {id, n}, once)), {id, n});
    }
    return n;
  };
  const workers = Array.from({length: 10}, (_, id) => worker(id));
  await server.printed('ran echo', 50);
  const waiting = rpc.call(call('wait', {seconds: 1}, once));
  await rabbit.stop();
  await rpc.saw('bus-lost');
  await rabbit.start();
  restarted = true;
  await Promise.all(workers);
  t.is(await waiting, 'waited');
  t.is(rpc.inFlight, 0);
  t.is(rpc.events.filter(({type}) => type === 'bus-connected').length, 2);
});

test.serial(
  'the line is cut while the server works: its answer waits in the reply queue, and nothing is done twice',
  async t => {
    await using proxy = await tcpProxy(rabbit.port);
    const rpc = new Client({url: through(proxy.port)});
    t.teardown(() => rpc.close());
    const before = server.lines.filter(line => line === 'ran wait').length;
    const waiting = rpc.call(call('wait', {seconds: 1}));
    await server.printed('ran wait', before + 1);
    proxy.cut();
    await rpc.saw('bus-connected', 2);
    t.is(await waiting, 'waited');
    t.is(server.lines.filter(line => line === 'ran wait').length, before + 1);
  },
);

test.serial('the line is cut before RabbitMQ has said that it has the message: unknown, or sent again', async t => {
  await using proxy = await tcpProxy(rabbit.port);
  const rpc = new Client({url: through(proxy.port)});
  t.teardown(() => rpc.close());
  await rpc.call(call('echo'));
  proxy.hold();
  const doubtful = fails(
    t,
    rpc.call(call('count', {name: 'doubtful'.padEnd(4000)})),
    'unavailable',
    /lost; it may or may not have been done/,
  );
  const sure = rpc.call(call('count', {name: 'sure'.padEnd(4000)}, {idempotent: true}));
  while (proxy.kept < 8000) await new Promise(resolve => setTimeout(resolve, 10));
  proxy.cut();
  await doubtful;
  t.is(await sure, null);
  t.deepEqual(
    server.lines.filter(line => /doubtful|sure/.test(line)).map(line => line.trim()),
    ['ran sure'],
  );
});

test.serial('a call that is bound to a connection ends with it', async t => {
  await using proxy = await tcpProxy(rabbit.port);
  const rpc = new Client({url: through(proxy.port)});
  t.teardown(() => rpc.close());
  const epoch = await rpc.connected(AbortSignal.timeout(20_000));
  const before = server.lines.filter(line => line === 'ran wait').length;
  const waiting = rpc.call(call('wait', {seconds: 1}, {epoch, idempotent: true}));
  const ended = t.throwsAsync(waiting, {name: 'CellarError', message: /connection to RabbitMQ was lost/});
  await server.printed('ran wait', before + 1);
  proxy.cut();
  t.like(await ended, {sent: true});
  await rpc.saw('bus-connected', 2);
  t.like(await t.throwsAsync(rpc.call(call('echo', {}, {epoch}))), {sent: false});
});

test.serial('the reply queue is deleted: it is declared again under its name', async t => {
  const rpc = new Client();
  t.teardown(() => rpc.close());
  await rpc.call(call('echo'));
  const queues = async (): Promise<string[]> =>
    (await rabbit.ctl('list_queues', '-p', 'cell1', '--no-table-headers', 'name')).match(/reply_\w+/g) ?? [];
  const before = await queues();
  for (const queue of before) await rabbit.ctl('delete_queue', '-p', 'cell1', queue);
  await rpc.saw('bus-connected', 2);
  t.deepEqual(await rpc.call(call('echo', {a: 1})), {a: 1});
  const after = await queues();
  t.true(after.length > 0 && after.every(queue => before.includes(queue)), `${before} ${after}`);
});

test.serial('RabbitMQ is short of memory: unavailable, then it goes on', async t => {
  const rpc = new Client();
  await rpc.call(call('echo'));
  await rabbit.ctl('set_vm_memory_high_watermark', '0.0000001');
  try {
    // It tells who sends something, and only then.
    const error = await fails(t, rpc.call(call('echo')), 'unavailable', /takes no messages: low on memory/);
    t.regex(error.message, /may or may not/);
    const second = await fails(t, rpc.call(call('echo')), 'unavailable', /takes no messages/);
    t.notRegex(second.message, /may or may not/);
    const other = new Client();
    await fails(t, other.call(call('echo', {}, {idempotent: true})), 'unavailable', /takes no messages/);
    await other.close();
  } finally {
    await rabbit.ctl('set_vm_memory_high_watermark', '0.4');
  }
  await rpc.saw('bus-unblocked');
  t.deepEqual(await rpc.call(call('echo', {a: 1})), {a: 1});
  await rpc.close();
});

test.serial('RabbitMQ hangs: heartbeats tell, and calls wait for it to come back', async t => {
  const rpc = new Client({rabbit: {heartbeat_timeout_threshold: 1}, connectTimeout: 1000});
  t.teardown(() => rpc.close());
  await rpc.call(call('echo'));
  rabbit.signal('SIGSTOP');
  try {
    await rpc.saw('bus-lost');
    await rpc.saw('bus-connect-failed');
    await fails(t, rpc.call(call('echo', {}, {timeoutMs: 300})), 'unavailable', /no answer within 1000 ms/);
  } finally {
    rabbit.signal('SIGCONT');
  }
  t.deepEqual(await rpc.call(call('echo', {a: 1})), {a: 1});
});

test.serial('something that is no RabbitMQ', async t => {
  const sockets = new Set<net.Socket>();
  const answers = {
    silent: '',
    web: 'HTTP/1.1 400 Bad Request\r\n\r\n',
    noise: '\u0001\u0000\u0000\u0000\u0000\u0000\u0000',
  };
  for (const [name, answer] of Object.entries(answers)) {
    const listener = net.createServer(socket => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.write(answer);
      if (name === 'web') socket.end();
    });
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    const {port} = listener.address() as net.AddressInfo;
    const rpc = new Client({url: through(port), connectTimeout: 300});
    await fails(
      t,
      rpc.call(call('echo', {}, {timeoutMs: 800})),
      'unavailable',
      new RegExp(`RabbitMQ at 127.0.0.1:${port}: \\w`),
    );
    await rpc.close();
    for (const socket of sockets) socket.destroy();
    listener.close();
  }
});

test.serial('a client that is closed leaves nothing: the process ends by itself', async t => {
  const script = new URL('closing.ts', import.meta.url).pathname;
  for (const [what, url] of [
    ['idle', rabbit.url],
    ['calling', rabbit.url],
    ['never-connected', rabbit.url],
    ['connecting', `rabbit://nova:${password}@127.0.0.1:1/cell1`],
  ] as const) {
    const child = spawn(process.execPath, [script, what, url], {stdio: ['ignore', 'pipe', 'inherit']});
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    let said = '';
    child.stdout.on('data', data => {
      said += data;
    });
    const [code, signal] = await once(child, 'exit');
    clearTimeout(timer);
    t.deepEqual([code, signal], [0, null], what);
    t.regex(said, /closed\n$/, what);
  }
});
