import {connect} from 'node:net';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import type {Agent} from '../../src/api/agent.ts';
import {CellarError} from '../../src/core/errors.ts';
import {diskResult, image, requestId, secret, untilAborted} from './fake-agent.ts';
import {eventually, withServer} from './with-server.ts';

const body = JSON.stringify({image, token: secret});
const headers = {Accept: 'application/x-ndjson', 'X-OpenStack-Request-ID': requestId};
const lines = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
const at = (received: number, size = 100) => ({image, received, size});

/** Reports the numbers in turn, `pause` ms apart, and then does what an agent does. */
const filling =
  (numbers: number[], pause = 0): Agent['createDisk'] =>
  async (request, {onProgress}) => {
    for (const received of numbers) {
      onProgress?.(at(received));
      if (pause > 0) await sleep(pause);
    }
    return diskResult(request);
  };

test('progress comes line by line and in order, then the result, then the end', async t => {
  await withServer(
    {createDisk: filling([0, 25, 50, 100])},
    async ({ask}) => {
      const answer = await ask('PUT', '/v1/disks/vms/a', {body, headers});
      t.is(answer.status, 200);
      t.is(answer.headers['content-type'], 'application/x-ndjson');
      t.is(answer.headers['cellar-version'], '9.9.9');
      t.is(answer.headers['x-openstack-request-id'], requestId);
      const result = {schema: 1, ...diskResult({pool: 'vms', name: 'a', image, requester: {}})};
      t.deepEqual(lines(answer.text), [
        {progress: at(0)},
        {progress: at(25)},
        {progress: at(50)},
        {progress: at(100)},
        {result},
      ]);
      t.true(answer.text.endsWith('\n'));
    },
    {progressInterval: 0},
  );
});

test('a line is on its way when it happens, not with the result', async t => {
  const release = Promise.withResolvers<void>();
  const createDisk: Agent['createDisk'] = async (request, {onProgress}) => {
    onProgress?.(at(1));
    await release.promise;
    return diskResult(request);
  };
  await withServer({createDisk}, async ({socket}) => {
    const connection = connect(socket);
    let received = '';
    connection.on('data', chunk => {
      received += chunk;
    });
    connection.write(
      `PUT /v1/disks/vms/a HTTP/1.1\r\nAccept: application/x-ndjson\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await eventually(() => received.includes('"received":1'));
    t.false(received.includes('result'));
    release.resolve();
    await eventually(() => received.includes('"result"'));
    connection.destroy();
  });
});

test('progress that comes too fast is thinned out, but its end is not', async t => {
  await withServer(
    {createDisk: filling([0, 1, 2, 3, 4, 100])},
    async ({ask}) => {
      const answer = await ask('PUT', '/v1/disks/vms/a', {body, headers});
      t.deepEqual(lines(answer.text).slice(0, -1), [{progress: at(0)}, {progress: at(100)}]);
    },
    {progressInterval: 60_000},
  );
});

test('a failure after the first line is the last line', async t => {
  const createDisk: Agent['createDisk'] = async (_, {onProgress}) => {
    onProgress?.(at(1));
    throw new CellarError('corrupt', `the digest is wrong ${secret}`, {hint: 'try again'});
  };
  await withServer({createDisk}, async ({ask, handled}) => {
    const answer = await ask('PUT', '/v1/disks/vms/a', {body, headers});
    t.is(answer.status, 200);
    t.deepEqual(lines(answer.text), [
      {progress: at(1)},
      {error: {kind: 'corrupt', message: 'the digest is wrong ***', hint: 'try again', requestId}},
    ]);
    t.is(handled[0]?.status, 502);
  });
});

test('a failure before the first line has its own status, like any other', async t => {
  const createDisk: Agent['createDisk'] = async () => {
    throw new CellarError('not-found', 'Glance has no such image');
  };
  await withServer({createDisk}, async ({ask}) => {
    const answer = await ask('PUT', '/v1/disks/vms/a', {body, headers});
    t.is(answer.status, 404);
    t.deepEqual(answer.json, {schema: 1, error: {kind: 'not-found', message: 'Glance has no such image', requestId}});
  });
});

test('what the border refuses is no stream', async t => {
  await withServer({}, async ({ask}) => {
    const answer = await ask('PUT', '/v1/disks/vms/a', {body: '{}', headers});
    t.is(answer.status, 400);
    t.is(answer.headers['content-type'], 'application/json');
  });
});

test('without the Accept header, or with a q of 0, progress is not asked for', async t => {
  const asked: boolean[] = [];
  const createDisk: Agent['createDisk'] = async (request, {onProgress}) => {
    asked.push(onProgress !== undefined);
    return diskResult(request);
  };
  await withServer({createDisk}, async ({ask}) => {
    for (const accept of [
      '*/*',
      'application/json',
      'application/x-ndjson;q=0',
      'text/html, Application/X-NDJSON;q=0.5',
    ]) {
      await ask('PUT', '/v1/disks/vms/a', {body, headers: {Accept: accept}});
    }
    t.deepEqual(asked, [false, false, false, true]);
  });
});

test('a caller that leaves a stream aborts its request', async t => {
  const createDisk: Agent['createDisk'] = async (_, {signal, onProgress}) => {
    onProgress?.(at(1));
    return untilAborted(signal);
  };
  await withServer({createDisk}, async ({socket, seen, handled}) => {
    const connection = connect(socket);
    connection.write(
      `PUT /v1/disks/vms/a HTTP/1.1\r\nAccept: application/x-ndjson\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await new Promise(resolve => connection.once('data', resolve));
    connection.destroy();
    await eventually(() => handled.length === 1);
    t.true(seen[0]?.signal.aborted);
    t.is(handled[0]?.status, 499);
  });
});

test('progress to a reader that does not read is dropped, not piled up', async t => {
  let sent = 0;
  const createDisk: Agent['createDisk'] = async (request, {onProgress, signal}) => {
    for (; sent < 200_000 && !signal.aborted; sent += 1) {
      onProgress?.(at(sent, 1_000_000));
      if (sent % 1000 === 0) await sleep(0);
    }
    return diskResult(request);
  };
  await withServer(
    {createDisk},
    async ({socket}) => {
      const connection = connect(socket);
      connection.pause();
      connection.write(
        `PUT /v1/disks/vms/a HTTP/1.1\r\nAccept: application/x-ndjson\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
      await eventually(() => sent === 200_000, 20_000);
      let received = '';
      for await (const chunk of connection) received += chunk;
      t.true(received.includes('"result"'));
      const count = received.split('"progress"').length - 1;
      t.true(count < 100_000, `${count} lines were kept`);
    },
    {progressInterval: 0},
  );
});
