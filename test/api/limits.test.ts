/** Slow, large and broken requests: each gets an answer in our form, and costs nobody else anything. */
import {connect} from 'node:net';
import test from 'ava';
import {diskResult, entry, image, kept, retired, untilAborted} from './fake-agent.ts';
import {eventually, withServer} from './with-server.ts';

const head = 'PUT /v1/disks/vms/a HTTP/1.1\r\nContent-Type: application/json\r\n';
const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
const body = JSON.stringify({image});

test('a body over 64 KiB is refused, whether its length is told before or not', async t => {
  await withServer({}, async ({raw, seen}) => {
    const big = `{"image":"${' '.repeat(64 * 1024)}"}`;
    const told = await raw(`${head}Content-Length: ${big.length}\r\n\r\n`);
    const untold = await raw(`${chunked}${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`);
    for (const answer of [told, untold]) {
      t.regex(answer, /^HTTP\/1\.1 413 .*Cellar-Version: 9\.9\.9.*the body is larger than 65536 bytes/s);
      t.regex(answer, /Connection: close/);
    }
    t.deepEqual(seen, []);
  });
});

test('a body of exactly 64 KiB is read', async t => {
  await withServer({}, async ({ask}) => {
    const {status} = await ask('PUT', '/v1/disks/vms/a', {body: body + ' '.repeat(64 * 1024 - body.length)});
    t.is(status, 200);
  });
});

test('a body that does not arrive is answered 408 after its timeout', async t => {
  const timeouts = {body: 100};
  await withServer(
    {},
    async ({raw, seen, handled}) => {
      const began = performance.now();
      const answer = await raw(`${head}Content-Length: 100\r\n\r\n{"image"`);
      t.true(performance.now() - began < 10_000);
      t.regex(
        answer,
        /^HTTP\/1\.1 408 .*Connection: close.*"kind":"timeout","message":"the body did not arrive within 100 ms"/s,
      );
      t.is(handled[0]?.status, 408);
      t.deepEqual(seen, []);
    },
    {timeouts},
  );
});

test('headers that do not arrive are answered 408 after their timeout, and so is silence', async t => {
  await withServer(
    {},
    async ({raw}) => {
      for (const start of ['GET /healthz HTTP/1.1\r\nX-Slow: ', '']) {
        const began = performance.now();
        const answer = await raw(start);
        t.true(performance.now() - began < 15_000);
        t.regex(answer, /^HTTP\/1\.1 408 Request Timeout\r\n.*Cellar-Version: 9\.9\.9.*"kind":"timeout"/s);
      }
    },
    {timeouts: {headers: 100}},
  );
});

test('what is no HTTP, and headers beyond measure, get the error form too', async t => {
  await withServer({}, async ({raw, ask}) => {
    t.regex(
      await raw('hello\r\n\r\n'),
      /^HTTP\/1\.1 400 .*Cellar-Version: 9\.9\.9.*"message":"this is no HTTP request"/s,
    );
    t.regex(
      await raw(`GET /healthz HTTP/1.1\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`),
      /^HTTP\/1\.1 431 .*"kind":"usage"/s,
    );
    t.is((await ask('GET', '/healthz')).status, 200);
  });
});

test('a request that sends an unknown Expect, or no Host, is answered like any other', async t => {
  await withServer({}, async ({raw}) => {
    t.regex(
      await raw('GET /healthz HTTP/1.1\r\nExpect: tea\r\nConnection: close\r\n\r\n'),
      /^HTTP\/1\.1 200 .*Cellar-Version/s,
    );
  });
});

test('a caller that goes away aborts the signal of its request', async t => {
  await withServer(
    {createDisk: async (_, {signal}) => untilAborted(signal)},
    async ({socket, seen, handled, server}) => {
      const connection = connect(socket);
      connection.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
      await eventually(() => seen.length === 1);
      t.false(seen[0]?.signal.aborted);
      connection.destroy();
      await eventually(() => handled.length === 1);
      t.true(seen[0]?.signal.aborted);
      t.like(handled[0], {status: 499});
      t.is(handled[0]?.error?.message, 'the caller went away');
      t.is(server.inFlight, 0);
    },
  );
});

test('a caller that goes away aborts every request of its pipeline', async t => {
  await withServer({listImages: untilAborted, status: untilAborted}, async ({socket, seen, handled}) => {
    const connection = connect(socket);
    connection.write('GET /v1/images HTTP/1.1\r\n\r\nGET /v1/status HTTP/1.1\r\n\r\n');
    await eventually(() => seen.length === 2);
    connection.destroy();
    await eventually(() => handled.length === 2);
    t.deepEqual(
      seen.map(({signal}) => signal.aborted),
      [true, true],
    );
  });
});

test('the signal of a request that was answered never aborts', async t => {
  await withServer({}, async ({ask, seen}) => {
    await ask('GET', '/v1/status', {headers: {Connection: 'close'}});
    await new Promise(resolve => setTimeout(resolve, 50));
    t.false(seen[0]?.signal.aborted);
  });
});

test('a request that takes too long is aborted and answered 504', async t => {
  await withServer(
    {listImages: untilAborted},
    async ({ask, seen}) => {
      const {status, json} = await ask('GET', '/v1/images');
      t.is(status, 504);
      t.like(json, {error: {kind: 'timeout', message: 'the request was not done within 0.05 s'}});
      t.true(seen[0]?.signal.aborted);
    },
    {timeouts: {request: 50}},
  );
});

test('the time that a request may take can change while the server runs', async t => {
  const timeouts = {request: 600_000};
  await withServer(
    {listImages: untilAborted},
    async ({ask}) => {
      timeouts.request = 50;
      t.is((await ask('GET', '/v1/images')).status, 504);
    },
    {timeouts},
  );
});

test('an agent that ignores its signal is waited for no longer than the grace', async t => {
  await withServer(
    {listImages: () => new Promise(() => {})},
    async ({ask}) => {
      t.is((await ask('GET', '/v1/images')).status, 504);
    },
    {timeouts: {request: 50, grace: 50}},
  );
});

test('an agent that finishes within the grace is heard', async t => {
  const listImages = () => new Promise<typeof kept>(resolve => setTimeout(resolve, 150, kept));
  await withServer(
    {listImages},
    async ({ask}) => {
      t.deepEqual((await ask('GET', '/v1/images')).json, {
        schema: 1,
        images: [entry],
        retired: [retired],
        pins: [image],
      });
    },
    {timeouts: {request: 50, grace: 2000}},
  );
});

test('requests in flight are counted', async t => {
  const release = Promise.withResolvers<void>();
  const createDisk = async (request: Parameters<typeof diskResult>[0]) => {
    await release.promise;
    return diskResult(request);
  };
  await withServer({createDisk}, async ({ask, seen, server}) => {
    const running = ask('PUT', '/v1/disks/vms/a', {body});
    await eventually(() => seen.length === 1);
    t.is(server.inFlight, 1);
    t.like((await ask('GET', '/v1/status')).json, {requests: 1});
    release.resolve();
    await running;
    await eventually(() => server.inFlight === 0);
    t.pass();
  });
});

test('the reason of an abort is answered, whatever it broke in the agent', async t => {
  const listImages = (signal: AbortSignal): Promise<never> =>
    untilAborted(signal).catch(() => {
      throw new TypeError('the pipe is in pieces');
    });
  await withServer(
    {listImages},
    async ({ask}) => {
      const {status, text} = await ask('GET', '/v1/images');
      t.is(status, 504);
      t.false(text.includes('pieces'));
    },
    {timeouts: {request: 50}},
  );
});
