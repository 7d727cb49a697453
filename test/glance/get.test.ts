import {getEventListeners} from 'node:events';
import type {ServerResponse} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import {GlanceClient, type GlanceOptions} from '../../src/glance/client.ts';
import type {Identity} from '../../src/glance/identity.ts';
import {Session} from '../../src/keystone/session.ts';
import {fails} from '../helpers/fails.ts';
import {cellarUser, imageCatalog, startKeystone} from '../helpers/fake-keystone.ts';
import {imageId, imageJson} from '../helpers/glance-image.ts';
import {deadUrl, sendJson, startServer} from '../helpers/with-server.ts';

const never = new AbortController().signal;
const path = `/v2/images/${imageId}`;
const user = {token: 's3cr3t-user'};
const quick = {retries: 2, retry_delay: 0.02};

function glanceAt(t: ExecutionContext, options: string | GlanceOptions, identity?: Identity): GlanceClient {
  const where = typeof options === 'string' ? {endpoint_override: options} : options;
  const client = new GlanceClient({...quick, ...where}, identity);
  t.teardown(() => client.close());
  return client;
}

function sessionAt(t: ExecutionContext, url: string): Session {
  const session = new Session(cellarUser(url), quick);
  t.teardown(() => session.close());
  return session;
}

test("asks with the requester's token and request id", async t => {
  await using server = await startServer((_, response) => sendJson(response, 200, imageJson()));
  const requestId = 'req-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';
  const record = await glanceAt(t, `${server.url}/v2`).get(imageId, {...user, requestId}, never);
  t.is(record.id, imageId);
  t.deepEqual(server.lines(), [`GET ${path}`]);
  const {headers} = server.seen[0] ?? t.fail();
  t.like(headers, {'x-auth-token': 's3cr3t-user', 'x-openstack-request-id': requestId, 'accept-encoding': 'identity'});
  t.false('x-service-token' in headers);
});

for (const [what, status, body, listable] of [
  ['a list of images', 200, '{"images": []}', true],
  ["a proxy's page", 404, '<h1>404</h1>', false],
  ['another page', 200, '<h1>It works</h1>', false],
  ['other JSON', 200, '{"versions": []}', false],
  ['null', 200, 'null', false],
] as const) {
  test(`is it Glance? ${what}: ${listable}`, async t => {
    await using server = await startServer((_, response) => response.writeHead(status).end(body));
    await using keystone = await startKeystone({catalog: imageCatalog(server.url)});
    t.is(await glanceAt(t, {}, sessionAt(t, keystone.url)).listable(never), listable);
    t.deepEqual(server.lines(), ['GET /v2/images?limit=1']);
    t.is(server.seen[0]?.headers['x-auth-token'], 's3cr3t-token-1');
  });
}

test('a bare UUID becomes a global request id, anything else is not sent', async t => {
  await using server = await startServer((_, response) => sendJson(response, 200, imageJson()));
  const client = glanceAt(t, server.url);
  await client.get(imageId, {...user, requestId: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'}, never);
  await client.get(imageId, {...user, requestId: 'my request\r\nX-Evil: 1'}, never);
  t.deepEqual(
    server.seen.map(({headers}) => headers['x-openstack-request-id']),
    ['req-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee', undefined],
  );
});

test('without a token in the request our own is used, at the endpoint of the catalog', async t => {
  await using server = await startServer((_, response) => sendJson(response, 200, imageJson()));
  await using keystone = await startKeystone({catalog: imageCatalog(`${server.url}/v2/`)});
  await glanceAt(t, {}, sessionAt(t, keystone.url)).get(imageId, {}, never);
  t.is(server.seen[0]?.headers['x-auth-token'], 's3cr3t-token-1');
  t.false('x-service-token' in (server.seen[0]?.headers ?? {}));
});

test('send_service_user_token puts ours beside the token of a user', async t => {
  await using server = await startServer((_, response) => sendJson(response, 200, imageJson()));
  await using keystone = await startKeystone();
  const client = glanceAt(
    t,
    {endpoint_override: server.url, send_service_user_token: true},
    sessionAt(t, keystone.url),
  );
  await client.get(imageId, user, never);
  await client.get(imageId, {}, never);
  t.deepEqual(
    server.seen.map(({headers}) => [headers['x-auth-token'], headers['x-service-token']]),
    [
      ['s3cr3t-user', 's3cr3t-token-1'],
      ['s3cr3t-token-1', undefined],
    ],
  );
});

test('without that option ours is not even asked for', async t => {
  await using server = await startServer((_, response) => sendJson(response, 200, imageJson()));
  await using keystone = await startKeystone();
  await glanceAt(t, server.url, sessionAt(t, keystone.url)).get(imageId, user, never);
  t.false('x-service-token' in (server.seen[0]?.headers ?? {}));
  t.is(keystone.seen.length, 0);
});

test('a 401 for our own token costs one new token and one more request', async t => {
  await using server = await startServer(({headers}, response) =>
    headers['x-auth-token'] === 's3cr3t-token-1' ? sendJson(response, 401, {}) : sendJson(response, 200, imageJson()),
  );
  await using keystone = await startKeystone();
  const client = glanceAt(t, server.url, sessionAt(t, keystone.url));
  t.is((await client.get(imageId, {}, never)).id, imageId);
  t.deepEqual(
    server.seen.map(({headers}) => headers['x-auth-token']),
    ['s3cr3t-token-1', 's3cr3t-token-2'],
  );
  t.is(keystone.seen.length, 2);
});

test('the new token goes to the same server', async t => {
  const refuse = ({headers}: {headers: object}, response: ServerResponse) =>
    'x-auth-token' in headers && headers['x-auth-token'] === 's3cr3t-token-1'
      ? sendJson(response, 401, {})
      : sendJson(response, 200, imageJson());
  await using one = await startServer(refuse);
  await using other = await startServer(refuse);
  await using keystone = await startKeystone();
  const client = glanceAt(t, {api_servers: [one.url, other.url]}, sessionAt(t, keystone.url));
  await client.get(imageId, {}, never);
  t.deepEqual([one.seen.length, other.seen.length].toSorted(), [0, 2]);
});

test('two 401s are unauthorized', async t => {
  await using server = await startServer((_, response) => response.writeHead(401).end('Bad token s3cr3t-token-2'));
  await using keystone = await startKeystone();
  const client = glanceAt(t, server.url, sessionAt(t, keystone.url));
  const error = await fails(
    t,
    client.get(imageId, {}, never),
    'unauthorized',
    /: 401 Unauthorized \(Bad token \*\*\*\)$/,
  );
  t.is(error.object, imageId);
  t.is(server.seen.length, 2);
  t.is(keystone.seen.length, 2);
});

test("a 401 for a user's token is the user's affair", async t => {
  await using server = await startServer((_, response) => response.writeHead(401).end());
  await using keystone = await startKeystone();
  const client = glanceAt(
    t,
    {endpoint_override: server.url, send_service_user_token: true},
    sessionAt(t, keystone.url),
  );
  await fails(t, client.get(imageId, user, never), 'unauthorized', /401/);
  t.is(server.seen.length, 1);
  t.is(keystone.seen.length, 1, 'a service token just made is not the reason');
});

test('no token at all, and one that cannot be a token', async t => {
  await using server = await startServer((_, response) => sendJson(response, 200, imageJson()));
  const client = glanceAt(t, server.url);
  await fails(t, client.get(imageId, {}, never), 'unauthorized', /came without a token/);
  await fails(t, client.get(imageId, {token: 's3cr3t\r\nX-Evil: 1'}, never), 'unauthorized', /characters no token has/);
  await fails(t, client.get(imageId, {token: ''}, never), 'unauthorized', /characters no token has/);
  await fails(t, client.get('../v2/images', user, never), 'usage', /is not an image id/);
  t.is(server.seen.length, 0);
});

const refusals: [number, Parameters<typeof fails>[2], string, RegExp][] = [
  [
    403,
    'forbidden',
    '<html><title>403</title><h1>403 Forbidden</h1>\nAccess  was denied.',
    /403 Forbidden \(403 Forbidden Access was denied\.\)$/,
  ],
  [404, 'not-found', '', /404 Not Found$/],
  [410, 'not-found', '', /410 Gone$/],
  [400, 'unavailable', 'x'.repeat(5000), /400 Bad Request \(x{200}…\)$/],
];

for (const [status, kind, body, message] of refusals) {
  test(`${status} is ${kind}, asked once`, async t => {
    await using server = await startServer((_, response) => response.writeHead(status).end(body));
    const error = await fails(t, glanceAt(t, server.url).get(imageId, user, never), kind, message);
    t.true(error.message.startsWith(`GET ${server.url}${path}: ${status} `));
    t.is(server.seen.length, 1);
  });
}

test('no half of a token is quoted either', async t => {
  await using server = await startServer((_, response) =>
    response.writeHead(403).end(`${'x'.repeat(190)} s3cr3t-user`),
  );
  await fails(t, glanceAt(t, server.url).get(imageId, user, never), 'forbidden', /x{190} \*\*\*\)$/);
});

test('a redirect is not followed, and says where it leads', async t => {
  await using server = await startServer((_, response) =>
    response.writeHead(302, {location: 'https://other.example/v2/x?t=s3cr3t'}).end(),
  );
  const error = await fails(
    t,
    glanceAt(t, server.url).get(imageId, user, never),
    'unavailable',
    /302 Found, a redirect to https:\/\/other\.example\/v2\/x$/,
  );
  t.regex(error.hint ?? '', /endpoint_override/);
  t.is(server.seen.length, 1);
});

test('503 and then the record', async t => {
  await using server = await startServer(({count}, response) =>
    count === 1 ? response.writeHead(503).end() : sendJson(response, 200, imageJson()),
  );
  t.is((await glanceAt(t, server.url).get(imageId, user, never)).id, imageId);
  t.is(server.seen.length, 2);
});

test('a connection that breaks before the answer is tried again', async t => {
  await using server = await startServer(({count}, response) =>
    count === 1 ? response.destroy() : sendJson(response, 200, imageJson()),
  );
  t.is((await glanceAt(t, server.url).get(imageId, user, never)).id, imageId);
});

test('500 always is unavailable after the last retry', async t => {
  await using server = await startServer((_, response) => response.writeHead(500).end());
  await fails(t, glanceAt(t, server.url).get(imageId, user, never), 'unavailable', /500 Internal Server Error$/);
  t.is(server.seen.length, 3);
});

test('Retry-After is waited out, unless it is longer than the deadline', async t => {
  await using server = await startServer(({count}, response) =>
    count === 1 ? response.writeHead(503, {'retry-after': '1'}).end() : sendJson(response, 200, imageJson()),
  );
  const start = performance.now();
  await glanceAt(t, server.url).get(imageId, user, never);
  t.true(performance.now() - start >= 990);

  await using busy = await startServer((_, response) => response.writeHead(429, {'retry-after': '3600'}).end());
  await fails(
    t,
    glanceAt(t, busy.url).get(imageId, user, never),
    'unavailable',
    /429 Too Many Requests, to be tried again after 3600$/,
  );
  t.is(busy.seen.length, 1);
});

test('a server that refuses connections is passed over, and the good one remembered', async t => {
  await using server = await startServer((_, response) => sendJson(response, 200, imageJson()));
  const dead = [await deadUrl(), await deadUrl(), await deadUrl()];
  const client = glanceAt(t, {api_servers: [...dead, server.url], retries: 0});
  await client.get(imageId, user, never);
  await client.get(imageId, user, never);
  t.is(server.seen.length, 2);
});

test('a server that answers 503 is passed over without a pause, and not asked first again', async t => {
  await using bad = await startServer((_, response) => response.writeHead(503).end());
  await using good = await startServer((_, response) => sendJson(response, 200, imageJson()));
  for (let n = 0; n < 8; n++) {
    const client = glanceAt(t, {api_servers: [bad.url, good.url], retries: 0, retry_delay: 10});
    const before = bad.seen.length;
    for (let m = 0; m < 3; m++) await client.get(imageId, user, never);
    t.true(bad.seen.length - before <= 1);
  }
  t.is(good.seen.length, 24);
});

test.serial('a server that hangs until the deadline is passed over too', async t => {
  await using bad = await startServer(() => {});
  await using good = await startServer((_, response) => sendJson(response, 200, imageJson()));
  const slow = {timeout: 3, retry_deadline: 0.1};
  const clients = Array.from({length: 6}, () => glanceAt(t, {api_servers: [bad.url, good.url], ...slow}));
  await Promise.all(clients.map(client => client.get(imageId, user, never)));
  t.is(good.seen.length, 6);
  const before = bad.seen.length;
  await Promise.all(clients.map(client => client.get(imageId, user, never)));
  t.is(bad.seen.length, before, 'not asked first again');
});

test('when all servers fail the error tells of each', async t => {
  await using bad = await startServer((_, response) => response.writeHead(502).end());
  const dead = await deadUrl();
  const error = await fails(
    t,
    glanceAt(t, {api_servers: [bad.url, dead]}).get(imageId, user, never),
    'unavailable',
    /before that: /,
  );
  t.regex(error.message, /502 Bad Gateway/);
  t.regex(error.message, /ECONNREFUSED/);
  t.is(bad.seen.length, 3);
});

test.serial('headers that do not come are a timeout', async t => {
  await using server = await startServer(() => {});
  const client = glanceAt(t, {endpoint_override: server.url, timeout: 0.5, retries: 1});
  await fails(t, client.get(imageId, user, never), 'timeout', /Timeout awaiting/);
  t.is(server.seen.length, 2);
});

const garbage: [string, string, Parameters<typeof fails>[2], RegExp][] = [
  [
    'a page',
    '<html><body>Welcome to the portal</body></html>',
    'unavailable',
    /the answer is not JSON \(Welcome to the portal\)$/,
  ],
  ['our own token', 's3cr3t-user', 'unavailable', /the answer is not JSON \(\*\*\*\)$/],
  ['nothing', '', 'unavailable', /the answer is not JSON/],
  [
    'another shape',
    '{"image": {}}',
    'corrupt',
    /the record of image .* in a shape it should not have: id: .*; status: /,
  ],
  ['megabytes', `"${'x'.repeat(5 * 1024 * 1024)}"`, 'unavailable', /larger than 4194304 bytes/],
];

for (const [name, body, kind, message] of garbage) {
  test(`an answer that is ${name}`, async t => {
    await using server = await startServer((_, response) => response.writeHead(200).end(body));
    await fails(t, glanceAt(t, {endpoint_override: server.url, retries: 0}).get(imageId, user, never), kind, message);
  });
}

test('the caller going away ends the request, also between attempts', async t => {
  const {promise: asked, resolve: onAsked} = Promise.withResolvers<void>();
  await using server = await startServer(() => onAsked());
  const controller = new AbortController();
  const gone = fails(
    t,
    glanceAt(t, server.url).get(imageId, user, controller.signal),
    'cancelled',
    /^GET .* of Glance: cancelled$/,
  );
  await asked;
  controller.abort();
  await gone;

  const waiting = new AbortController();
  await using busy = await startServer((_, response) => {
    response.once('finish', () => setTimeout(() => waiting.abort(new DOMException('late', 'TimeoutError')), 100));
    response.writeHead(503).end();
  });
  const client = glanceAt(t, {endpoint_override: busy.url, retry_delay: 50});
  await fails(t, client.get(imageId, user, waiting.signal), 'timeout', /the deadline passed/);
  t.is(busy.seen.length, 1);
});

test("nothing stays on the caller's signal", async t => {
  await using server = await startServer(({count}, response) =>
    count % 2 ? response.writeHead(503).end() : sendJson(response, 200, imageJson()),
  );
  const {signal} = new AbortController();
  const client = glanceAt(t, server.url);
  for (let n = 0; n < 5; n++) await client.get(imageId, user, signal);
  t.is(getEventListeners(signal, 'abort').length, 0);
});

test('requests with one token that come while its question is in the air share the answer; the next one asks anew', async t => {
  const {promise: gate, resolve: open} = Promise.withResolvers<void>();
  await using server = await startServer(async (_, response) => {
    await gate;
    sendJson(response, 200, imageJson());
  });
  const client = glanceAt(t, server.url);
  const asked = Array.from({length: 16}, () => client.get(imageId, user, never));
  const other = client.get(imageId, {token: 's3cr3t-other'}, never);
  const leaver = new AbortController();
  const gone = fails(t, client.get(imageId, user, leaver.signal), 'cancelled', /^GET .* of Glance: cancelled$/);
  leaver.abort();
  await gone;
  open();
  for (const record of await Promise.all([...asked, other])) t.is(record.id, imageId);
  const tokens = () => server.seen.map(({headers}) => headers['x-auth-token']).toSorted();
  t.deepEqual(tokens(), ['s3cr3t-other', 's3cr3t-user']);
  await client.get(imageId, user, never);
  t.deepEqual(tokens(), ['s3cr3t-other', 's3cr3t-user', 's3cr3t-user']);
});

test('of those who share a question, each is told the no that Glance gives to their token', async t => {
  await using server = await startServer(({headers}, response) =>
    headers['x-auth-token'] === user.token ? sendJson(response, 200, imageJson()) : response.writeHead(404).end(),
  );
  const client = glanceAt(t, server.url);
  const [yes, ...no] = [user, {token: 's3cr3t-other'}, {token: 's3cr3t-other'}].map(who =>
    client.get(imageId, who, never),
  );
  for (const one of no) await fails(t, one, 'not-found', /404/);
  t.is((await yes)?.id, imageId);
});
