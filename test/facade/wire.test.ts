/** What a real Glance does not do on demand: a scripted server, asked directly and through the facade. */
import {once} from 'node:events';
import {mkdtemp, readFile, rm} from 'node:fs/promises';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {startServer} from '../helpers/with-server.ts';
import {run} from '../lab/run.ts';
import {startFacade} from './setup.ts';
import {collect, eventually, exchange, readReply, scripted, type Upstream} from './wire.ts';

const get = (path: string, ...more: string[]) =>
  `${[`GET ${path} HTTP/1.1`, 'Host: glance', ...more, 'Connection: close'].join('\r\n')}\r\n\r\n`;

/** Asks the server itself and the facade before it; both answers are the same, and are returned once. */
async function both(t: ExecutionContext, upstream: Upstream, request: string) {
  await using facade = await startFacade({servers: [upstream.url]});
  const direct = readReply(await exchange(upstream.port, request));
  const through = readReply(await exchange(facade.port, request));
  t.deepEqual(through, direct);
  return through;
}

const answering = (text: string, end = true) =>
  scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    if (end) socket.end(text);
    else socket.write(text);
  });

test('headers come in their order and case, twice if they are there twice, and those of the connection stay behind', async t => {
  await using upstream = await answering(
    'HTTP/1.1 299 Quite Fine\r\nx-b: 1\r\nX-A: 2\r\nSet-Cookie: a\r\nX-B: 3\r\nset-cookie: b\r\nX-Hop: z\r\nConnection: close, X-Hop\r\nX-\xe9: \xff\r\nContent-Length: 2\r\n\r\nok'.replace(
      'X-\xe9',
      'X-E',
    ),
  );
  await using facade = await startFacade({servers: [upstream.url]});
  const request =
    'GET /v2/x?a=%2F&b=c+d HTTP/1.1\r\nx-one: 1\r\nHOST: elsewhere:1\r\nX-Two:  2 \r\nx-one: 3\r\nX-Private: p\r\nConnection: close, x-private\r\nTE: trailers\r\nKeep-Alive: timeout=3\r\nProxy-Connection: keep-alive\r\nX-Auth-Token: t\r\n\r\n';
  const {status, headers, body} = readReply(await exchange(facade.port, request));
  t.is(status, 'HTTP/1.1 299 Quite Fine');
  t.deepEqual(
    headers.map(([name]) => name),
    ['x-b', 'X-A', 'Set-Cookie', 'X-B', 'set-cookie', 'X-E', 'Content-Length'],
  );
  t.is(body.toString(), 'ok');
  const [line, ...sent] = (upstream.received[0] ?? '').split('\r\n');
  t.is(line, 'GET /v2/x?a=%2F&b=c+d HTTP/1.1');
  t.deepEqual(sent.slice(0, -3), [
    'x-one: 1',
    `HOST: 127.0.0.1:${upstream.port}`,
    'X-Two: 2',
    'x-one: 3',
    'X-Auth-Token: t',
  ]);
});

test("the path of Glance's own URL comes in front, and a URL for proxies means its path", async t => {
  await using upstream = await answering('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
  await using facade = await startFacade({servers: [`${upstream.url}/image`]});
  await exchange(facade.port, get('/v2/images?x=1'));
  await exchange(facade.port, get('http://somebody/v2/images'));
  t.deepEqual(
    upstream.received.map(text => text.split('\r\n')[0]),
    ['GET /image/v2/images?x=1 HTTP/1.1', 'GET /image/v2/images HTTP/1.1'],
  );
});

const half = 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n';
for (const [what, text] of Object.entries({
  'with a length': `${half}Content-Length: 10\r\n\r\n12345`,
  'in chunks': `${half}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n`,
  'in the middle of a chunk': `${half}Transfer-Encoding: chunked\r\n\r\n5\r\n123`,
})) {
  test(`a body ${what} that breaks off breaks off for the caller too`, async t => {
    await using upstream = await answering(text);
    const {whole, body} = await both(t, upstream, get('/v2/images/x/file'));
    t.false(whole);
    t.true(body.length > 0);
  });
}

test('to a caller of HTTP/1.0 the end of the connection is that of the body: half an answer ends with a reset', async t => {
  await using upstream = await answering(`${half}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n`);
  await using facade = await startFacade({servers: [upstream.url]});
  const endOf = (version: string) => {
    const caller = connect(facade.port, '127.0.0.1');
    caller.write(get('/v2/images/x/file').replace('HTTP/1.1', version));
    caller.resume();
    return new Promise(resolve => {
      caller.once('error', error => resolve((error as NodeJS.ErrnoException).code));
      caller.once('end', () => resolve('end'));
    });
  };
  t.deepEqual([await endOf('HTTP/1.0'), await endOf('HTTP/1.1')], ['ECONNRESET', 'end']);
});

test('so does a record that breaks off while it is looked at', async t => {
  await using upstream = await answering(
    'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id": "11111111',
  );
  const {whole, body} = await both(t, upstream, get('/v2/images/11111111-2222-4333-8444-555555555555'));
  t.false(whole);
  t.is(body.toString(), '{"id": "11111111');
});

for (const [what, text] of Object.entries({
  'a body that ends with the connection': `${half}\r\nall of it`,
  'an empty body': `${half}Content-Length: 0\r\n\r\n`,
  '204': 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n',
  '304': 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
  '300': 'HTTP/1.1 300 Multiple Choices\r\nContent-Length: 2\r\n\r\n{}',
  'no reason phrase': 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
  'large headers': `HTTP/1.1 200 OK\r\nX-Large: ${'x'.repeat(40_000)}\r\nContent-Length: 0\r\n\r\n`,
  'chunks with a trailer': 'HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
})) {
  test(`${what} is the same`, async t => {
    await using upstream = await answering(text);
    const {whole} = await both(t, upstream, get('/v2/x', `X-Auth-Token: ${'t'.repeat(30_000)}`));
    t.true(whole);
    t.true(upstream.received[1]?.includes(`X-Auth-Token: ${'t'.repeat(30_000)}`));
  });
}

test('the head of an answer arrives before its body does', async t => {
  await using upstream = await answering(`${half}Content-Length: 5\r\n\r\n`, false);
  await using facade = await startFacade({servers: [upstream.url]});
  const received = await exchange(facade.port, get('/v2/x/file'), all => all.includes('\r\n\r\n'));
  t.regex(received.toString(), /^HTTP\/1\.1 200 OK\r\n/);
  await eventually(() => upstream.open() === 0); // the caller has left, and so have we
});

for (const method of ['GET', 'PUT']) {
  test(`what is taken for Glance is the facade itself, under another name: ${method} does not go round`, async t => {
    const servers: string[] = [];
    await using facade = await startFacade({servers});
    servers.push(`http://localhost:${facade.port}`);
    const request = `${method} /v2/images/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
    for (let time = 0; time < 2; time++) {
      const {status, body} = readReply(await exchange(facade.port, request));
      t.is(status, 'HTTP/1.1 503 Service Unavailable');
      t.regex(body.toString(), /is the agent itself/);
    }
    await eventually(() => facade.passed.length === 4);
    t.deepEqual(facade.passed.map(({error}) => error?.kind).toSorted(), ['config', 'config', undefined, undefined]);
  });
}

test('Glance over TLS, as [glance] says: with its authority, with any, and not without', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'cellar-facade-'));
  t.teardown(() => rm(directory, {recursive: true}));
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  const subject = ['-subj', '/CN=glance', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', cert]);
  const files = {cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8')};
  await using glance = await startServer(({body}, response) => response.end(`got ${body}`), files);
  const put = 'PUT /v2/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfour';
  const answers = async (tls: object) => {
    await using facade = await startFacade({servers: [glance.url], tls});
    const [read, written] = [await exchange(facade.port, get('/v2/x')), await exchange(facade.port, put)];
    return [...[read, written].map(one => readReply(one).body.toString()), facade.passed[0]?.error?.kind];
  };
  t.deepEqual(await answers({cafile: cert}), ['got ', 'got four', undefined]);
  t.deepEqual(await answers({insecure: true}), ['got ', 'got four', undefined]);
  const [page, , error] = await answers({});
  t.regex(page ?? '', /503 Service Unavailable/);
  t.is(error, 'config');
  t.is(glance.seen.length, 4);
});

test('a kept connection that Glance closes in the same moment costs nothing but a new one', async t => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  await using upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    socket.write(answer);
    await heard('second'); // over the same connection
    socket.destroy();
  });
  await using facade = await startFacade({servers: [upstream.url]});
  t.is(readReply(await exchange(facade.port, get('/first'))).body.toString(), 'ok');
  t.is(readReply(await exchange(facade.port, get('/second'))).body.toString(), 'ok');
  t.is(upstream.received.length, 2);
  t.true(upstream.received[0]?.includes('GET /second'));
});

test('a body is sent on as it comes, framed as it came, and the caller is asked for it when Glance asks', async t => {
  await using upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    await heard('0\r\n\r\n');
    socket.end('HTTP/1.1 204 No Content\r\n\r\n');
  });
  await using facade = await startFacade({servers: [upstream.url]});
  const caller = connect(facade.port, '127.0.0.1');
  let answer = '';
  caller.on('data', chunk => {
    answer += chunk;
  });
  caller.write(
    'PUT /v2/images/x/file HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n',
  );
  await eventually(() => answer.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  t.true(upstream.received[0]?.includes('\r\nExpect: 100-continue\r\n'));
  caller.write('4\r\nfour\r\n');
  await eventually(() => upstream.received[0]?.includes('4\r\nfour\r\n') ?? false);
  caller.write('0\r\n\r\n');
  await eventually(() => answer.includes('204 No Content'));
  caller.destroy();
});

for (const kept of [true, false]) {
  test(`an expectation that a Glance which ${kept ? 'keeps' : 'ends'} its connection refuses: the caller gets the refusal, keeps its body, and begins anew`, async t => {
    await using upstream = await answering('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n', !kept);
    await using facade = await startFacade({servers: [upstream.url]});
    const request =
      'PUT /v2/images/x/file HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n';
    const received = (await exchange(facade.port, request)).toString(); // until the facade closes
    t.regex(received, /^HTTP\/1\.1 401 Unauthorized\r\n/);
    t.regex(received, /\r\nConnection: close\r\n/i);
  });
}

for (const before of ['', get('/v2/x').replace('Connection: close\r\n', '')]) {
  test(`${before ? 'after an answer, ' : ''}half a head is waited for as long as a head may take; a body may take longer`, async t => {
    await using upstream = await scripted(async (socket, heard) => {
      await Promise.race([heard('GET /v2/x '), heard('\r\n\r\nall')]);
      socket.end('HTTP/1.1 204 No Content\r\n\r\n');
    });
    await using facade = await startFacade({servers: [upstream.url], headTimeout: 3000});
    const uploader = connect(facade.port, '127.0.0.1');
    const uploaded = collect(uploader);
    uploader.write('PUT /v2/images/x/file HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\na');
    const caller = connect(facade.port, '127.0.0.1');
    caller.write(before);
    if (before) t.regex(String((await once(caller, 'data'))[0]), /^HTTP\/1\.1 204 /);
    caller.write('GET /v2/x HTTP/1.1\r\nHo');
    await collect(caller); // until the facade closes
    uploader.write('ll');
    t.is(readReply(await uploaded).status, 'HTTP/1.1 204 No Content');
  });
}

for (const end of [true, false]) {
  test(`Glance refuses a body that it has not read${end ? ', and hangs up' : ''}: whoever sends it all first can do so, and ask again`, async t => {
    await using upstream = await answering('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno', end);
    await using facade = await startFacade({servers: [upstream.url]});
    const caller = connect(facade.port, '127.0.0.1');
    const body = Buffer.alloc(64 << 20);
    caller.write(`PUT /v2/images/x/file HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`);
    let sent = false;
    caller.write(body, () => {
      sent = true;
    });
    await eventually(() => sent);
    caller.write(get('/v2/x'));
    const received = (await collect(caller)).toString();
    t.is(received.match(/HTTP\/1\.1 413 Too Large\r\n/g)?.length, 2);
    t.true(upstream.received.some(text => text.startsWith('GET /v2/x ')));
  });
}

test('an answer that leaves HTTP is none', async t => {
  await using upstream = await answering(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    false,
  );
  await using facade = await startFacade({servers: [upstream.url]});
  t.is((await exchange(facade.port, get('/v2/x'))).length, 0);
  await eventually(() => facade.passed.length === 1);
  t.regex(facade.passed[0]?.error?.message ?? '', /closed without an answer/);
});

for (const [method, more, framing] of [
  ['POST', '', 'Content-Length: 0'],
  ['DELETE', '', ''],
  ['GET', 'Content-Length: 0\r\n', 'Content-Length: 0'],
  ['PATCH', 'Content-Length: 2\r\n', 'Content-Length: 2'],
  ['DELETE', 'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: chunked'],
] as const) {
  test(`${method} with ${more.trim() || 'no framing'} is sent with ${framing || 'none'}`, async t => {
    await using upstream = await answering('HTTP/1.1 204 No Content\r\n\r\n');
    await using facade = await startFacade({servers: [upstream.url]});
    const body = more.includes('chunked') ? '2\r\n[]\r\n0\r\n\r\n' : more.includes('2') ? '[]' : '';
    await exchange(facade.port, `${method} /v2/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${more}\r\n${body}`);
    const [head = '', sent] = upstream.received[0]?.split('\r\n\r\n', 2) ?? [];
    const lines = head.split('\r\n').filter(line => /^(content-length|transfer-encoding):/i.test(line));
    t.deepEqual(lines, framing === '' ? [] : [framing]);
    t.true((sent ?? '').startsWith(body.split('\r\n\r\n')[0] ?? ''));
  });
}

test('a caller that leaves in the middle of an upload ends it at Glance, without its end', async t => {
  await using upstream = await scripted(() => {});
  await using facade = await startFacade({servers: [upstream.url]});
  const caller = connect(facade.port, '127.0.0.1');
  caller.write('PUT /v2/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n');
  await eventually(() => upstream.received[0]?.includes('four') ?? false);
  caller.destroy();
  await eventually(() => upstream.open() === 0);
  t.false(upstream.received[0]?.includes('\r\n0\r\n'));
});

test('a caller that does not read holds Glance back, and nothing piles up', async t => {
  const chunk = Buffer.alloc(1 << 20, 'x');
  let taken = 0;
  await using upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    socket.write(`${half}Content-Length: ${1 << 30}\r\n\r\n`);
    while (!socket.destroyed) {
      if (!socket.write(chunk)) await new Promise(resolve => socket.once('drain', resolve).once('close', resolve));
      taken += chunk.length;
    }
  });
  await using facade = await startFacade({servers: [upstream.url]});
  const caller = connect(facade.port, '127.0.0.1').pause();
  caller.write(get('/v2/x/file'));
  let before = -1;
  // It comes to rest; otherwise the whole GiB would have been taken.
  while (before !== taken || taken === 0) {
    before = taken;
    await new Promise(resolve => setTimeout(resolve, 500));
  }
  t.true(taken < 256 << 20, `${taken} bytes`);
  caller.destroy();
});

test('requests of a pipeline are answered in their order, each sent on when the one before is answered', async t => {
  await using upstream = await scripted(async (socket, heard) => {
    await heard('\r\n\r\n');
    const path = /^\w+ (\S+)/.exec(upstream.received.at(-1) ?? '')?.[1] ?? '';
    if (path === '/a') await new Promise(resolve => setTimeout(resolve, 100));
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${path}`);
  });
  await using facade = await startFacade({servers: [upstream.url]});
  const one = (path: string, method = 'GET') => `${method} ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
  const received = await exchange(facade.port, one('/a', 'DELETE') + one('/b') + one('/c'), all => all.includes('/c'));
  t.deepEqual(received.toString().match(/\/[abc]/g), ['/a', '/b', '/c']);
  t.deepEqual(
    upstream.received.map(text => text.split(' ')[1]),
    ['/a', '/b', '/c'],
  );
});

test('many at once, each with its own answer', async t => {
  await using upstream = await scripted(async (socket, heard) => {
    const index = upstream.received.length - 1;
    await heard('\r\n\r\n');
    const path = /^\w+ (\S+)/.exec(upstream.received[index] ?? '')?.[1] ?? '';
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
  });
  await using facade = await startFacade({servers: [upstream.url]});
  const paths = Array.from({length: 90}, (_, index) => `/v2/${index}`);
  const answers = await Promise.all(paths.map(path => exchange(facade.port, get(path))));
  t.deepEqual(
    answers.map(answer => readReply(answer).body.toString()),
    paths,
  );
});

test('more connections than allowed are closed', async t => {
  await using upstream = await scripted(() => {});
  await using facade = await startFacade({servers: [upstream.url], maxConnections: 1});
  const first = connect(facade.port, '127.0.0.1');
  first.write(get('/slow'));
  await eventually(() => upstream.received.length === 1);
  t.is((await collect(connect(facade.port, '127.0.0.1'))).length, 0);
  first.destroy();
});
