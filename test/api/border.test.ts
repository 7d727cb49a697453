/** What the server refuses, and that nothing refused reaches the agent. */
import test from 'ava';
import {image, secret} from './fake-agent.ts';
import {withServer} from './with-server.ts';

const body = JSON.stringify({image});
const error = (json: unknown) => (json as {error: {kind: string; message: string}}).error;

const badNames: [string, string][] = [
  ['a%2Fb', "the path: the disk's name may not hold '/', '@' or control characters"],
  ['a@b', "the path: the disk's name may not hold '/', '@' or control characters"],
  ['a%00b', "the path: the disk's name may not hold '/', '@' or control characters"],
  ['a%0Ab', "the path: the disk's name may not hold '/', '@' or control characters"],
  ['a%C2%85b', "the path: the disk's name may not hold '/', '@' or control characters"],
  ['..%2F..%2Fetc%2Fpasswd', "the path: the disk's name may not hold '/', '@' or control characters"],
  ['..', "the path: the disk's name may not be '.' or '..'"],
  ['%2e', "the path: the disk's name may not be '.' or '..'"],
  ['x'.repeat(201), "the path: the disk's name is longer than 200 characters"],
  ['%E0%A4%A', 'the path holds a broken percent escape'],
  ['%FF', 'the path holds a broken percent escape'],
];

for (const [name, message] of badNames) {
  test(`a disk named ${name.slice(0, 30)} is refused`, async t => {
    await withServer({}, async ({ask, seen}) => {
      for (const method of ['PUT', 'GET', 'DELETE']) {
        const answer = await ask(method, `/v1/disks/vms/${name}`, method === 'PUT' ? {body} : {});
        t.is(answer.status, 400);
        t.like(error(answer.json), {kind: 'usage', message});
      }
      t.deepEqual(seen, []);
    });
  });
}

test('the pool is held to the same rules', async t => {
  await withServer({}, async ({ask, seen}) => {
    t.is(
      error((await ask('GET', '/v1/disks/%40/a')).json).message,
      "the path: the pool's name may not hold '/', '@' or control characters",
    );
    t.deepEqual(seen, []);
  });
});

test('a name is percent-decoded once, and may hold what is not forbidden', async t => {
  await withServer({}, async ({ask, seen}) => {
    for (const [sent, meant] of [
      ['100%2525', '100%25'],
      ['a%20b', 'a b'],
      ['%C3%A9', 'é'],
      ['x'.repeat(200), 'x'.repeat(200)],
      ['...', '...'],
    ]) {
      t.is((await ask('GET', `/v1/disks/vms/${sent}`)).status, 200);
      t.deepEqual(seen.at(-1)?.args, [{pool: 'vms', name: meant}]);
    }
  });
});

const badBodies: [string, string, string][] = [
  ['an unknown field', `{"image":"${image}","sise":1,"b\\n":2}`, 'the body: unknown field "sise", "b\\n"'],
  ['no image', '{}', 'the body: image is missing'],
  ['an image that is no UUID', '{"image":"debian-12"}', 'the body: image must be a UUID, as Glance writes it'],
  ['an image with a tail', `{"image":"${image}/x"}`, 'the body: image must be a UUID, as Glance writes it'],
  ['a size of 0', `{"image":"${image}","size":0}`, 'the body: size must be more than 0 bytes'],
  ['a negative size', `{"image":"${image}","size":-1}`, 'the body: size must be more than 0 bytes'],
  ['a broken size', `{"image":"${image}","size":1.5}`, 'the body: size must be a whole number of bytes'],
  ['a size as text', `{"image":"${image}","size":"10G"}`, 'the body: size must be a whole number of bytes'],
  [
    'a size beyond exact numbers',
    `{"image":"${image}","size":9007199254740993}`,
    'the body: size must be a whole number of bytes',
  ],
  [
    'an empty token',
    `{"image":"${image}","token":""}`,
    'the body: token must be one or more printable ASCII characters without spaces',
  ],
  [
    'a token with a line break',
    `{"image":"${image}","token":"a\\r\\nb"}`,
    'the body: token must be one or more printable ASCII characters without spaces',
  ],
  ['null', 'null', 'the body: Invalid input: expected object, received null'],
  ['a list', '[]', 'the body: Invalid input: expected object, received array'],
  ['nothing', '', 'the body is not JSON'],
  ['half a JSON text', `{"token":"${secret}`, 'the body is not JSON'],
  ['JSON with a fault near the token', `{"token":"${secret}" "image":1}`, 'the body is not JSON'],
];

for (const [what, text, message] of badBodies) {
  test(`a body with ${what} is refused by name, without its values`, async t => {
    await withServer({}, async ({ask, seen, handled}) => {
      const answer = await ask('PUT', '/v1/disks/vms/a', {body: text});
      t.is(answer.status, 400);
      t.like(error(answer.json), {kind: 'usage', message});
      t.false(answer.text.includes(secret.slice(0, 12)));
      t.is(handled[0]?.error?.cause, undefined);
      t.deepEqual(seen, []);
    });
  });
}

test('all that is wrong is said at once', async t => {
  await withServer({}, async ({ask}) => {
    const {json} = await ask('PUT', '/v1/disks/vms/a', {body: '{"size":0,"x":1}'});
    t.is(error(json).message, 'the body: image is missing; size must be more than 0 bytes; unknown field "x"');
  });
});

test('a token in the body and another in the header are refused', async t => {
  await withServer({}, async ({ask, seen}) => {
    const headers = {'X-Auth-Token': `${secret}2`};
    const {status, text} = await ask('PUT', '/v1/disks/vms/a', {body: JSON.stringify({image, token: secret}), headers});
    t.is(status, 400);
    t.regex(text, /the body's token and X-Auth-Token differ/);
    t.deepEqual(seen, []);
  });
});

test('a token header that is no token is refused without being repeated', async t => {
  await withServer({}, async ({ask}) => {
    const {status, text} = await ask('PUT', '/v1/disks/vms/a', {body, headers: {'X-Auth-Token': `${secret} x`}});
    t.is(status, 400);
    t.regex(text, /X-Auth-Token: must be one or more printable/);
    t.false(text.includes(secret));
  });
});

test('an image id in the path that is no UUID is refused', async t => {
  await withServer({}, async ({ask, seen}) => {
    const {status, json} = await ask('GET', '/v1/images/debian');
    t.is(status, 400);
    t.is(error(json).message, 'the image id: must be a UUID, as Glance writes it');
    t.deepEqual(seen, []);
  });
});

for (const name of ['Origin', 'Referer']) {
  test(`a request with ${name} comes from a browser and is refused`, async t => {
    await withServer({}, async ({ask, seen}) => {
      const answer = await ask('DELETE', '/v1/disks/vms/a', {headers: {[name]: 'http://evil.example'}});
      t.is(answer.status, 403);
      t.like(error(answer.json), {kind: 'forbidden', message: `requests with the header ${name} are refused`});
      t.is(answer.headers['access-control-allow-origin'], undefined);
      t.deepEqual(seen, []);
    });
  });
}

test('unknown paths are 404, wrong methods 405 with Allow', async t => {
  await withServer({}, async ({ask, seen}) => {
    for (const path of [
      '/',
      '/v1',
      '/v1/disks/vms',
      '/v1/images/',
      '/v2/images',
      '/v1/disks/vms/a/',
      '/v1/disks/vms/',
      '/v1/disks//a',
      '//healthz',
      '/v1/../healthz',
    ]) {
      const {status, json} = await ask('GET', path);
      t.is(status, 404, path);
      t.is(error(json).kind, 'not-found');
    }
    for (const [method, path, allow] of [
      ['POST', '/v1/disks/vms/a', 'PUT, GET, DELETE'],
      ['PUT', '/v1/status', 'GET'],
      ['OPTIONS', '/v1/images', 'GET'],
      ['PUT', `/v1/images/${image}`, 'GET, DELETE'],
      ['GET', `/v1/images/${image}/pin`, 'PUT, DELETE'],
      ['GET', `/v1/images/${image}/verify`, 'POST'],
    ] as const) {
      const {status, headers, json} = await ask(method, path);
      t.is(status, 405);
      t.is(headers.allow, allow);
      t.is(error(json).kind, 'usage');
    }
    t.deepEqual(seen, []);
  });
});

test('a query is refused: there is none that could be meant', async t => {
  await withServer({}, async ({ask}) => {
    const {status, json} = await ask('GET', '/v1/images?limit=1');
    t.is(status, 400);
    t.is(error(json).message, 'this API takes no query parameters');
  });
});

test('only application/json is read', async t => {
  await withServer({}, async ({ask, raw, seen}) => {
    const type = (value: string) => ask('PUT', '/v1/disks/vms/a', {body, headers: {'Content-Type': value}});
    t.is((await type('text/plain')).status, 415);
    t.is((await type('application/x-www-form-urlencoded')).status, 415);
    t.regex(
      await raw('PUT /v1/disks/vms/a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}'),
      /^HTTP\/1\.1 415 .*the body is of no stated type/s,
    );
    t.is((await ask('PUT', '/v1/disks/vms/a', {body, headers: {'Content-Encoding': 'gzip'}})).status, 415);
    t.deepEqual(seen, []);
    t.is((await type('Application/JSON; charset=utf-8')).status, 200);
  });
});

test('a body where none belongs is refused', async t => {
  await withServer({}, async ({ask, seen}) => {
    const {status, json} = await ask('DELETE', '/v1/disks/vms/a', {body: '{}'});
    t.is(status, 400);
    t.is(error(json).message, 'this DELETE takes no body');
    t.deepEqual(seen, []);
  });
});
