import test from 'ava';
import {CellarError, type ErrorKind, errorKinds} from '../../src/core/errors.ts';
import {diskResult, diskView, entry, image, requestId, retired, secret, status} from './fake-agent.ts';
import {withServer} from './with-server.ts';

const put = (more: object = {}) => ({body: JSON.stringify({image, ...more})});

test('PUT makes the disk that was asked for and answers what was done', async t => {
  await withServer({}, async ({ask, seen}) => {
    const answer = await ask('PUT', '/v1/disks/vms/one_disk', {
      ...put({size: 5_368_709_120, token: secret}),
      headers: {'X-OpenStack-Request-ID': requestId},
    });
    const request = {pool: 'vms', name: 'one_disk', image, size: 5_368_709_120, requester: {requestId, token: secret}};
    t.is(answer.status, 200);
    t.deepEqual(answer.json, {schema: 1, ...diskResult(request)});
    t.deepEqual(
      seen.map(({method, args}) => [method, ...args]),
      [['createDisk', request]],
    );
    t.is(answer.headers['content-type'], 'application/json');
    t.is(answer.headers['cellar-version'], '9.9.9');
    t.is(answer.headers['x-openstack-request-id'], requestId);
  });
});

test('the token may come in the header, and the image id in any case', async t => {
  await withServer({}, async ({ask, seen}) => {
    const headers = {'X-Auth-Token': secret, 'X-OpenStack-Request-ID': requestId};
    const {status} = await ask('PUT', '/v1/disks/vms/a', {body: JSON.stringify({image: image.toUpperCase()}), headers});
    t.is(status, 200);
    t.deepEqual(seen[0]?.args, [{pool: 'vms', name: 'a', image, requester: {requestId, token: secret}}]);
  });
});

test('a request without size and token leaves both out', async t => {
  await withServer({}, async ({ask, seen}) => {
    const {headers} = await ask('PUT', '/v1/disks/vms/a', put());
    t.deepEqual(seen[0]?.args, [
      {pool: 'vms', name: 'a', image, requester: {requestId: headers['x-openstack-request-id']}},
    ]);
  });
});

test('a request id is made up when it is missing or not of the form req-<uuid>', async t => {
  await withServer({}, async ({ask}) => {
    for (const headers of [{}, {'X-OpenStack-Request-ID': 'req-nonsense'}] as Record<string, string>[]) {
      const answer = await ask('GET', '/healthz', {headers});
      t.regex(String(answer.headers['x-openstack-request-id']), /^req-[0-9a-f-]{36}$/);
    }
  });
});

test('GET, DELETE, images, status and healthz answer what the agent says', async t => {
  await withServer({}, async ({ask, seen}) => {
    const get = async (path: string) => (await ask('GET', path)).json;
    t.deepEqual(await get('/v1/disks/vms/one_disk'), {schema: 1, ...diskView});
    t.deepEqual((await ask('DELETE', '/v1/disks/vms/gone')).json, {
      schema: 1,
      pool: 'vms',
      name: 'gone',
      deleted: true,
    });
    t.deepEqual(await get('/v1/images'), {schema: 1, images: [entry], retired: [retired], pins: [image]});
    t.deepEqual(await get(`/v1/images/${image.toUpperCase()}`), entry);
    t.deepEqual(await get('/v1/status'), {schema: 1, ...status, requests: 0});
    t.deepEqual(await get('/healthz'), {schema: 1, state: 'ok'});
    t.deepEqual(
      seen.map(({method, args}) => [method, ...args]),
      [
        ['showDisk', {pool: 'vms', name: 'one_disk'}],
        ['deleteDisk', {pool: 'vms', name: 'gone'}],
        ['listImages'],
        ['showImage', image],
        ['status'],
      ],
    );
  });
});

for (const kind of Object.keys(errorKinds) as ErrorKind[]) {
  test(`the agent's ${kind} is answered ${errorKinds[kind].status} in the one error form`, async t => {
    const showDisk = async () => {
      throw new CellarError(kind, 'what happened', {hint: 'what to do', object: 'vms/a', cause: new Error('within')});
    };
    await withServer({showDisk}, async ({ask}) => {
      const {status, json, headers} = await ask('GET', '/v1/disks/vms/a');
      const id = headers['x-openstack-request-id'];
      t.is(status, errorKinds[kind].status);
      t.deepEqual(json, {
        schema: 1,
        error: {kind, message: 'what happened', hint: 'what to do', object: 'vms/a', requestId: id},
      });
    });
  });
}

test('an error that is none of ours is internal', async t => {
  const listImages = async () => {
    throw new TypeError('x is not a function');
  };
  await withServer({listImages}, async ({ask, handled}) => {
    const {status, json} = await ask('GET', '/v1/images');
    t.is(status, 500);
    t.like(json, {error: {kind: 'internal', message: 'x is not a function'}});
    t.true(handled[0]?.error?.cause instanceof TypeError);
  });
});

test('a token that an error quotes is struck out, from header and body', async t => {
  const createDisk = async () => {
    throw new CellarError('unavailable', `Glance said no to ${secret}`, {hint: `drop ${secret}`, object: secret});
  };
  await withServer({createDisk}, async ({ask}) => {
    const byBody = await ask('PUT', '/v1/disks/vms/a', put({token: secret}));
    const byHeader = await ask('PUT', '/v1/disks/vms/a', {...put(), headers: {'X-Auth-Token': secret}});
    for (const {text, json} of [byBody, byHeader]) {
      t.false(text.includes(secret));
      t.like(json, {error: {message: 'Glance said no to ***', hint: 'drop ***', object: '***'}});
    }
  });
});

test('each request is told once it is answered, with the error and without its cause on the wire', async t => {
  await withServer({}, async ({ask, handled}) => {
    await ask('GET', '/v1/status');
    await ask('GET', '/v1/images/00000000-0000-0000-0000-000000000000');
    t.like(handled, [
      {method: 'GET', path: '/v1/status', status: 200},
      {method: 'GET', path: '/v1/images/00000000-0000-0000-0000-000000000000', status: 404},
    ]);
    t.is(handled[1]?.error?.kind, 'not-found');
    t.true((handled[0]?.ms ?? -1) >= 0);
  });
});
