import {getEventListeners} from 'node:events';
import type {ServerResponse} from 'node:http';
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {Session, type SessionOptions} from '../../src/keystone/session.ts';
import {fails} from '../helpers/fails.ts';
import {cellarUser, imageCatalog, sendToken, startKeystone} from '../helpers/fake-keystone.ts';
import {deadUrl, sendJson, startServer} from '../helpers/with-server.ts';

const quick = {retries: 2, retry_delay: 0.02};
const never = new AbortController().signal;

function open(t: ExecutionContext, url: string, options: SessionOptions = quick, now?: () => number): Session {
  const session = new Session(cellarUser(url), options, now);
  t.teardown(() => session.close());
  return session;
}

test('asks once for a token and keeps it', async t => {
  await using keystone = await startKeystone();
  const session = open(t, keystone.url);
  t.is(await session.token(never), 's3cr3t-token-1');
  t.is(await session.token(never), 's3cr3t-token-1');
  t.deepEqual(keystone.lines(), ['POST /v3/auth/tokens']);
  t.like(keystone.seen[0], {headers: {'content-type': 'application/json', 'accept-encoding': 'identity'}});
  t.like(JSON.parse(keystone.seen[0]?.body ?? ''), {auth: {identity: {methods: ['password']}}});
});

test('renews the token two minutes before its end', async t => {
  await using keystone = await startKeystone({lifetime: 3600});
  let now = 5000;
  const session = open(t, keystone.url, quick, () => now);
  await session.token(never);
  now += 3_479_999;
  t.is(await session.token(never), 's3cr3t-token-1');
  now += 1;
  t.is(await session.token(never), 's3cr3t-token-2');
});

test('a short-lived token is still used for most of its life', async t => {
  await using keystone = await startKeystone({lifetime: 60});
  let now = 0;
  const session = open(t, keystone.url, quick, () => now);
  await session.token(never);
  now = 44_999;
  t.is(await session.token(never), 's3cr3t-token-1');
  now = 45_000;
  t.is(await session.token(never), 's3cr3t-token-2');
});

for (const year of [1999, 2199]) {
  test(`the clock of Keystone may stand in ${year}`, async t => {
    await using keystone = await startKeystone({issued: new Date(`${year}-01-01T00:00:00Z`)});
    const session = open(t, keystone.url);
    await session.token(never);
    await session.token(never);
    t.is(keystone.seen.length, 1);
  });
}

test('all who want a token at once share one request', async t => {
  await using keystone = await startKeystone();
  const session = open(t, keystone.url);
  const tokens = await Promise.all(Array.from({length: 50}, () => session.token(never)));
  t.deepEqual(new Set(tokens), new Set(['s3cr3t-token-1']));
  t.is(keystone.seen.length, 1);
});

test('a refused token is replaced once, however many report it', async t => {
  await using keystone = await startKeystone();
  const session = open(t, keystone.url);
  const old = await session.token(never);
  const renewed = await Promise.all(
    Array.from({length: 10}, async () => {
      session.invalidate(old);
      return session.token(never);
    }),
  );
  t.deepEqual(new Set(renewed), new Set(['s3cr3t-token-2']));
  session.invalidate(old);
  t.is(await session.token(never), 's3cr3t-token-2');
  t.is(keystone.seen.length, 2);
});

test('503 and then a token', async t => {
  await using keystone = await startServer(({count}, response) => {
    if (count === 1) response.writeHead(503).end();
    else sendToken(response, count);
  });
  t.is(await open(t, keystone.url).token(never), 's3cr3t-token-2');
});

test('Retry-After of a 429 is waited out', async t => {
  await using keystone = await startServer(({count}, response) => {
    if (count === 1) response.writeHead(429, {'retry-after': '1'}).end();
    else sendToken(response, count);
  });
  const start = performance.now();
  await open(t, keystone.url).token(never);
  t.true(performance.now() - start >= 990);
});

test('500 always is unavailable after the last retry', async t => {
  await using keystone = await startServer((_, response) =>
    response.writeHead(500).end(`<h1>${'x'.repeat(190)}</h1> s3cr3t-password`),
  );
  await fails(t, open(t, keystone.url).token(never), 'unavailable', /: 500 Internal Server Error \(x{190} \*\*\*\)$/);
  t.is(keystone.seen.length, 3);
});

test('nobody listens', async t => {
  const url = await deadUrl();
  const error = await fails(t, open(t, url).token(never), 'unavailable', /connect ECONNREFUSED/);
  t.regex(
    error.message,
    new RegExp(`^POST ${url}/v3/auth/tokens for user cellar \\(domain Default\\) in project service`),
  );
});

test.serial('no answer in time', async t => {
  await using keystone = await startServer(() => {});
  const session = open(t, keystone.url, {timeout: 0.5, retries: 1, retry_delay: 0.01});
  await fails(t, session.token(never), 'timeout', /Timeout awaiting '(response|request)' for 500ms/);
  t.is(keystone.seen.length, 2);
});

test.serial('an answer that drips for ever', async t => {
  await using keystone = await startServer((_, response) => {
    response.writeHead(201, {'x-subject-token': 's3cr3t-token-1'});
    const drip = setInterval(() => response.write(' '), 10);
    response.on('close', () => clearInterval(drip));
  });
  await fails(
    t,
    open(t, keystone.url, {timeout: 0.2, retries: 0}).token(never),
    'timeout',
    /Timeout awaiting 'request'/,
  );
});

test('a wrong password says who was refused, and is not tried again', async t => {
  await using keystone = await startServer((_, response) =>
    sendJson(response, 401, {
      error: {code: 401, message: 'The request you have made requires authentication: s3cr3t-password'},
    }),
  );
  const error = await fails(
    t,
    open(t, keystone.url).token(never),
    'unauthorized',
    /in project service .*: 401 Unauthorized \(The request/,
  );
  t.regex(error.hint ?? '', /check the user, its domain and password/);
  t.is(keystone.seen.length, 1);
});

const misled: [string, number, object, RegExp][] = [
  ['a 404 means that auth_url is not that of Keystone', 404, {}, /404 Not Found/],
  [
    'a redirect is not followed',
    302,
    {location: 'https://sso.example:8443/login?s=s3cr3t'},
    /a redirect to https:\/\/sso\.example:8443\/login$/,
  ],
];

for (const [name, status, headers, message] of misled) {
  test(name, async t => {
    await using keystone = await startServer((_, response) => response.writeHead(status, {...headers}).end());
    const error = await fails(t, open(t, keystone.url).token(never), 'config', message);
    t.regex(error.hint ?? '', /auth_url/);
    t.is(keystone.seen.length, 1);
  });
}

const garbled: [string, string, object, RegExp][] = [
  ['no token in the headers', '{"token":{}}', {}, /no X-Subject-Token/],
  ['a page instead of JSON', '<html>', {'x-subject-token': 's3cr3t-t'}, /not Keystone's/],
  ['no times', '{"token":{"catalog":[]}}', {'x-subject-token': 's3cr3t-t'}, /token\.issued_at: .*token\.expires_at: /],
  [
    'a time that is none',
    '{"token":{"issued_at":"x","expires_at":"y"}}',
    {'x-subject-token': 's3cr3t-t'},
    /token\.issued_at: not a time/,
  ],
  ['megabytes', ' '.repeat(9 * 1024 * 1024), {'x-subject-token': 's3cr3t-t'}, /larger than 8388608 bytes/],
];

for (const [name, body, headers, message] of garbled) {
  test(`an answer with ${name} is unavailable`, async t => {
    await using keystone = await startServer((_, response) => response.writeHead(201, {...headers}).end(body));
    await fails(t, open(t, keystone.url, {retries: 0}).token(never), 'unavailable', message);
  });
}

test('while Keystone is away the token in hand serves to its end', async t => {
  await using keystone = await startServer(({count}, response) => {
    if (count === 1) sendToken(response, count);
    else response.writeHead(503).end();
  });
  let now = 0;
  const session = open(t, keystone.url, {retries: 0}, () => now);
  await session.token(never);
  now = 3_500_000;
  t.is(await session.token(never), 's3cr3t-token-1');
  t.is(await session.token(never), 's3cr3t-token-1');
  t.is(keystone.seen.length, 2, 'asked again only now and then');
  now = 3_510_000;
  await session.token(never);
  t.is(keystone.seen.length, 3);
  now = 3_600_000;
  await fails(t, session.token(never), 'unavailable', /503/);
});

test.serial('a Keystone that hangs holds nobody up who has a good token', async t => {
  await using keystone = await startServer(({count}, response) => {
    if (count === 1) sendToken(response, count);
  });
  let now = 0;
  const session = open(t, keystone.url, quick, () => now);
  await session.token(never);
  now = 3_500_000;
  const start = performance.now();
  t.is(await session.token(never), 's3cr3t-token-1');
  t.true(performance.now() - start < 10_000);
});

test('a caller that goes away leaves alone', async t => {
  const {promise: asked, resolve: onAsked} = Promise.withResolvers<void>();
  const {promise: go, resolve: letGo} = Promise.withResolvers<void>();
  await using keystone = await startServer(async ({count}, response) => {
    onAsked();
    await go;
    sendToken(response, count);
  });
  const session = open(t, keystone.url);
  const hasty = new AbortController();
  const patient = session.token(never);
  const left = fails(t, session.token(hasty.signal), 'cancelled', /^cancelled$/);
  await asked;
  hasty.abort();
  await left;
  letGo();
  t.is(await patient, 's3cr3t-token-1');
  t.is(keystone.seen.length, 1);
});

test('when the last caller goes away the request ends', async t => {
  const {promise: asked, resolve: onAsked} = Promise.withResolvers<void>();
  await using keystone = await startServer(() => onAsked());
  const controller = new AbortController();
  const left = fails(t, open(t, keystone.url).token(controller.signal), 'cancelled', /^cancelled$/);
  await asked;
  controller.abort();
  await left;
  await sleep(50);
  t.is(await keystone.connections(), 0);
});

test("an abort's own error comes out, a deadline is a timeout, and nothing is sent after it", async t => {
  await using keystone = await startKeystone();
  const session = open(t, keystone.url);
  const stopping = new CellarError('cancelled', 'the agent is stopping');
  t.is(await t.throwsAsync(session.token(AbortSignal.abort(stopping))), stopping);
  const late = AbortSignal.timeout(1);
  await sleep(20);
  await fails(t, session.token(late), 'timeout', /deadline/);
  t.is(keystone.seen.length, 0);
});

test("nothing stays on a caller's signal", async t => {
  await using keystone = await startKeystone({lifetime: 0});
  const session = open(t, keystone.url);
  const {signal} = new AbortController();
  for (let n = 0; n < 5; n++) await session.token(signal);
  t.is(keystone.seen.length, 5);
  t.is(getEventListeners(signal, 'abort').length, 0);
});

test('the endpoint comes from the catalog of the token', async t => {
  await using keystone = await startKeystone({catalog: imageCatalog('http://glance:9292')});
  const session = open(t, keystone.url);
  t.is(await session.endpoint({service_type: 'image'}, never), 'http://glance:9292');
  await fails(
    t,
    session.endpoint({service_type: 'volume'}, never),
    'config',
    /it has: image named glance \(public in RegionOne\)$/,
  );
  t.is(keystone.seen.length, 1);
});

test('whether it answers: its version document, without credentials; a token again where there was none', async t => {
  let status = 200;
  await using keystone = await startServer(({method, count}, response) => {
    if (status !== 200) sendJson(response, status, {});
    else if (method === 'GET') sendJson(response, 200, {version: {}});
    else sendToken(response, count);
  });
  const asked: (string | undefined)[] = [];
  const onAsked = (_: number, error: unknown) => asked.push(error instanceof CellarError ? error.kind : undefined);
  const session = open(t, keystone.url, {...quick, onAsked});
  await session.answers(never);
  t.is(keystone.seen[0]?.headers['x-auth-token'], undefined);
  status = 503;
  await fails(t, session.answers(never), 'unavailable', /GET .*\/v3\/: 503/);
  await fails(t, session.token(never), 'unavailable', /503/);
  const posts = () => keystone.lines().filter(line => line === 'POST /v3/auth/tokens').length;
  const before = posts();
  await fails(t, session.answers(never), 'unavailable', /POST/);
  t.true(posts() > before);
  status = 200;
  await session.answers(never);
  await session.answers(never);
  t.deepEqual(keystone.lines().slice(-2), ['POST /v3/auth/tokens', 'GET /v3/']);
  t.deepEqual(asked, ['unavailable', 'unavailable', undefined]);
});

test('whether it answers: a caller who left has heard nothing, and one that is down is asked for a token where there is none', async t => {
  const state: {post: (response: ServerResponse, count: number) => void} = {post: sendToken};
  await using keystone = await startServer(({method, count}, response) => {
    if (method === 'GET') sendJson(response, 200, {version: {}});
    else state.post(response, count);
  });
  let now = 0;
  const session = open(t, keystone.url, {retries: 0}, () => now);
  await session.answers(never);
  await session.answers(never, {token: true});
  await session.answers(never, {token: true}); // now there is one
  now += 3_600_000;
  await session.answers(never, {token: true}); // it has expired
  const get = 'GET /v3/';
  const post = 'POST /v3/auth/tokens';
  t.deepEqual(keystone.lines(), [get, post, get, post]);

  now += 3_600_000;
  state.post = response => void sendJson(response, 503, {});
  await fails(t, session.token(never), 'unavailable', /503/);
  const asked = Promise.withResolvers<void>();
  state.post = () => asked.resolve();
  const leaving = new AbortController();
  const left = fails(t, session.token(leaving.signal), 'cancelled', /^cancelled$/);
  await asked.promise;
  leaving.abort();
  await left;
  state.post = response => void sendJson(response, 503, {});
  await fails(t, session.answers(never), 'unavailable', /POST .*503/);
});

test('whether it answers: nobody is there', async t => {
  const session = open(t, await deadUrl());
  await fails(t, session.answers(never), 'unavailable', /GET http/);
});
