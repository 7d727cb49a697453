/** What Glance may do wrong while an image is filled: nothing of it is published, nothing is left, and the next request is right. */
import {randomBytes} from 'node:crypto';
import type {IncomingMessage, ServerResponse} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import {type Fault, startProxy} from '../helpers/proxy.ts';
import {openstack} from '../lab/shared.ts';
import {answer, makePlace} from './place.ts';

const mib = 1024 * 1024;
const isData = (path: string) => path.endsWith('/file');

/** The first download fails so; the exit code and the words the operator sees. */
const faults: {name: string; fault: Fault; code: number; message: RegExp}[] = [
  {
    name: 'one wrong byte',
    fault: altered(chunk => Buffer.from(chunk.map((byte, at) => (at === chunk.length - 1 ? byte ^ 1 : byte)))),
    code: 75,
    message: /sha512/,
  },
  {name: 'a short body that ends like a whole one', fault: resized(-1), code: 75, message: /bytes/},
  {name: 'a body that ends with the connection', fault: broken, code: 75, message: /./},
  {name: 'a long body', fault: resized(1), code: 75, message: /bytes/},
  {
    name: '204, no data',
    fault: onData((_, response) => void response.writeHead(204).end()),
    code: 75,
    message: /204|no data/i,
  },
  {
    name: '403',
    fault: onData((_, response) => void response.writeHead(403).end('no')),
    code: 77,
    message: /403|forbidden/i,
  },
];

for (const {name, fault, code, message} of faults) {
  test.serial(`after ${name} nothing is published and nothing is left, and the next request succeeds`, async t => {
    const glance = openstack();
    await using proxy = await startProxy(glance.glanceUrl);
    await using place = await makePlace({glance: proxy.url});
    const image = await glance.uploadImage({bytes: randomBytes(9 * mib)});
    await using _ = await place.startAgent();
    proxy.fault = fault;

    const failed = await place.cellar('disk', 'create', `${place.vms}/d`, '--image', image.id);
    t.is(failed.code, code, failed.stderr);
    t.regex(failed.stderr, message);
    await nothingIsLeft(t, place);

    proxy.fault = undefined;
    t.is(answer(t, await place.cellar('disk', 'create', `${place.vms}/d`, '--image', image.id))['outcome'], 'filled');
  });
}

/** What the agent gets over by itself: the status of so many first answers. */
for (const {name, status, times} of [
  {name: '503, then success', status: 503, times: 2},
  {name: "401 for the agent's own token, which has ended", status: 401, times: 1},
]) {
  test.serial(`${name}: the request succeeds by itself, with one download`, async t => {
    const glance = openstack();
    await using proxy = await startProxy(glance.glanceUrl);
    await using place = await makePlace({glance: proxy.url});
    const image = await glance.uploadImage({bytes: randomBytes(mib)});
    await using _ = await place.startAgent();
    proxy.fault = ({path, count}, response) => {
      if (!isData(path) || count > times) return false;
      response.writeHead(status).end();
      return true;
    };
    t.is(answer(t, await place.cellar('disk', 'create', `${place.vms}/d`, '--image', image.id))['outcome'], 'filled');
    t.is(proxy.seen.filter(line => isData(line)).length, times + 1);
  });
}

async function nothingIsLeft(t: ExecutionContext, place: Awaited<ReturnType<typeof makePlace>>): Promise<void> {
  t.deepEqual(await place.cacheImages(), []);
  t.deepEqual(await place.omapKeys('cellar.index'), []);
  t.deepEqual(await place.omapKeys('cellar.disks'), []);
  t.deepEqual(JSON.parse(await place.cell.rbd('ls', place.vms, '--format=json')), []);
}

function onData(act: (answer: undefined, response: ServerResponse) => void): Fault {
  return ({path}, response) => {
    if (!isData(path)) return false;
    act(undefined, response);
    return true;
  };
}

function throughData(act: (answer: IncomingMessage, response: ServerResponse) => void): Fault {
  return ({path}, _, upstream) => {
    if (!isData(path)) return false;
    upstream(act);
    return true;
  };
}

/** The last chunk of the body changed. */
function altered(change: (chunk: Buffer) => Buffer): Fault {
  return throughData(async (answer, response) => {
    const body = await bodyOf(answer);
    response.writeHead(200, answer.headers).end(change(body));
  });
}

/** Sent in chunks, so that no Content-Length gives it away. */
function resized(by: number): Fault {
  return throughData(async (answer, response) => {
    const body = await bodyOf(answer);
    const {'content-length': _, ...headers} = answer.headers;
    response.writeHead(200, headers).end(by < 0 ? body.subarray(0, by) : Buffer.concat([body, Buffer.alloc(by, 7)]));
  });
}

function broken(...args: Parameters<Fault>): boolean {
  return throughData(async (answer, response) => {
    const body = await bodyOf(answer);
    response.writeHead(200, answer.headers).write(body.subarray(0, body.length / 2), () => response.destroy());
  })(...args);
}

async function bodyOf(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return Buffer.concat(chunks);
}
