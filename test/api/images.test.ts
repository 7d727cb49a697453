/** The cache over the API: what goes in, what comes back, on the wire and through the client. */
import test from 'ava';
import type {Agent} from '../../src/api/agent.ts';
import {createClient} from '../../src/api/client.ts';
import {CellarError} from '../../src/core/errors.ts';
import {entry, image, requestId, secret} from './fake-agent.ts';
import {withServer} from './with-server.ts';

const other = '00000000-0c1d-4a6e-9a58-0a4c7d2f6a01';
const path = `/v1/images/${image}`;
const json = (body: object) => ({body: JSON.stringify(body)});

test('each request asks what it says and answers what the agent said, ids in lower case', async t => {
  await withServer({}, async ({ask, seen}) => {
    const shouted = `/v1/images/${image.toUpperCase()}`;
    const answers = [
      await ask('POST', `${shouted}/prefetch`, {...json({}), headers: {'X-OpenStack-Request-ID': requestId}}),
      await ask('POST', `${shouted}/verify`),
      await ask('PUT', `${shouted}/pin`),
      await ask('DELETE', `${shouted}/pin`),
      await ask('DELETE', shouted),
      await ask('DELETE', `/v1/images/${other}`),
    ];
    t.deepEqual(
      answers.map(answer => answer.json),
      [
        {schema: 1, image, outcome: 'filled', size: entry.size, glanceBytes: entry.source.size},
        {schema: 1, image, rbdImage: entry.rbdImage, size: entry.size, intact: true},
        {schema: 1, image, pinned: true, cached: true},
        {schema: 1, image, pinned: false, cached: true},
        {schema: 1, image, evicted: true},
        {schema: 1, image: other, evicted: false},
      ],
    );
    t.deepEqual(
      seen.map(({method, args}) => [method, ...args]),
      [
        ['prefetchImage', image, {requestId}],
        ['verifyImage', image],
        ['pinImage', image],
        ['unpinImage', image],
        ['evictImage', image],
        ['evictImage', other],
      ],
    );
  });
});

test('the client asks the same, without a body where there is nothing to say', async t => {
  await withServer({}, async ({socket, seen}) => {
    const client = createClient({socket, version: '9.9.9'});
    t.like(await client.prefetchImage({id: image, token: secret}, {requestId}), {outcome: 'filled'});
    t.like(await client.verifyImage(image), {intact: true});
    t.like(await client.pinImage(image), {pinned: true});
    t.like(await client.unpinImage(image), {pinned: false});
    t.like(await client.evictImage(image), {evicted: true});
    t.deepEqual(
      seen.map(({method}) => method),
      ['prefetchImage', 'verifyImage', 'pinImage', 'unpinImage', 'evictImage'],
    );
    t.deepEqual(seen[0]?.args, [image, {requestId, token: secret}]);
  });
});

test('a prefetch and a verification tell their progress line by line', async t => {
  const report = (onProgress: Parameters<Agent['verifyImage']>[1]['onProgress']) => {
    for (const received of [0, 50, 100]) onProgress?.({image, received, size: 100});
  };
  const script: Partial<Agent> = {
    prefetchImage: async (id, _, {onProgress}) => {
      report(onProgress);
      return {image: id, outcome: 'exists', size: 1, glanceBytes: 0};
    },
    verifyImage: async (id, {onProgress}) => {
      report(onProgress);
      return {image: id, rbdImage: 'x', size: 1, intact: false};
    },
  };
  await withServer(
    script,
    async ({socket, ask}) => {
      const client = createClient({socket, version: '9.9.9'});
      const told: number[] = [];
      const onProgress = ({received}: {received: number}) => told.push(received);
      t.like(await client.prefetchImage({id: image}, {onProgress}), {outcome: 'exists'});
      t.like(await client.verifyImage(image, {onProgress}), {intact: false});
      t.deepEqual(told, [0, 50, 100, 0, 50, 100]);
      const lines = await ask('POST', `${path}/verify`, {headers: {Accept: 'application/x-ndjson'}});
      t.is(lines.headers['content-type'], 'application/x-ndjson');
      t.deepEqual(JSON.parse(lines.text.trimEnd().split('\n').at(-1) ?? ''), {
        result: {schema: 1, image, rbdImage: 'x', size: 1, intact: false},
      });
    },
    {progressInterval: 0},
  );
});

test("a prefetch's token comes in the header or the body, not twice and different; other fields are refused", async t => {
  await withServer({}, async ({ask, seen}) => {
    const prefetch = async (body: object, headers = {}) =>
      (await ask('POST', `${path}/prefetch`, {...json(body), headers})).status;
    t.is(await prefetch({token: secret}), 200);
    t.is(await prefetch({}, {'X-Auth-Token': secret}), 200);
    t.is(await prefetch({token: secret}, {'X-Auth-Token': secret}), 200);
    t.is(await prefetch({token: secret}, {'X-Auth-Token': `${secret}2`}), 400);
    t.is(await prefetch({pin: true}), 400);
    const tokens = seen.map(({args}) => (args[1] as {token?: string}).token);
    t.deepEqual(tokens, [secret, secret, secret]);
  });
});

test('an id that is none is refused before the agent is asked, here and there', async t => {
  await withServer({}, async ({ask, seen, socket}) => {
    const client = createClient({socket, version: '9.9.9'});
    for (const [method, tail] of [
      ['POST', '/verify'],
      ['PUT', '/pin'],
      ['DELETE', '/pin'],
      ['DELETE', ''],
    ] as const)
      t.is((await ask(method, `/v1/images/golden${tail}`)).status, 400);
    for (const call of [client.verifyImage, client.pinImage, client.unpinImage, client.evictImage])
      t.is((await t.throwsAsync(call('../disks/vms/a'), {instanceOf: CellarError}))?.kind, 'usage');
    t.deepEqual(seen, []);
  });
});
