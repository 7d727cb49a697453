/** A real Glance, asked directly and through the facade: the same in every byte. */
import {createHash, randomBytes} from 'node:crypto';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {openstack} from '../lab/shared.ts';
import {type RunningFacade, startFacade} from './setup.ts';
import {collect, readReply} from './wire.ts';

const patchType = 'application/openstack-images-v2.1-json-patch';

type Ask = {token?: string; headers?: Record<string, string>; body?: string | Buffer; chunked?: boolean};

/** One request on a connection of its own, as Nova's client words it. */
async function ask(url: string, method: string, path: string, {token, headers = {}, body, chunked}: Ask = {}) {
  const {hostname, port, host} = new URL(url);
  const all: Record<string, string> = {
    Host: host,
    'User-Agent': 'python-glanceclient',
    Accept: '*/*',
    'Accept-Encoding': 'gzip, deflate',
    'X-OpenStack-Request-ID': 'req-11111111-2222-4333-8444-555555555555',
    ...(token !== undefined && {'X-Auth-Token': token}),
    ...headers,
    ...(body !== undefined &&
      (chunked ? {'Transfer-Encoding': 'chunked'} : {'Content-Length': String(Buffer.byteLength(body))})),
    Connection: 'close',
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`);
  const data = Buffer.from(body ?? '');
  for (let at = 0; chunked && at < data.length; at += 65_536) {
    const chunk = data.subarray(at, at + 65_536);
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    socket.write('\r\n');
  }
  socket.write(chunked ? '0\r\n\r\n' : data);
  return readReply(await collect(socket));
}

/** What may differ between two answers to the same request, and nothing else. */
function compared({status, headers, body, whole}: Awaited<ReturnType<typeof ask>>, hide: (text: string) => string) {
  const passing = (name: string) => /^(date|x-openstack-request-id)$/i.test(name);
  return {
    status,
    whole,
    headers: headers.map(([name, value]) => [name, passing(name) ? '…' : hide(value)]),
    body: hide(body.toString('latin1')),
  };
}

const asIs = (text: string) => text;

async function same(
  t: ExecutionContext,
  facade: RunningFacade,
  method: string,
  path: string | ((direct: boolean) => string),
  request: Ask = {},
  hide = asIs,
) {
  const at = (direct: boolean) => (typeof path === 'string' ? path : path(direct));
  const direct = await ask(openstack().glanceUrl, method, at(true), request);
  const through = await ask(facade.url, method, at(false), request);
  t.deepEqual(compared(through, hide), compared(direct, hide), `${method} ${at(false)}`);
  if (method !== 'HEAD') t.true(through.whole);
  return {direct, through};
}

const statusOf = ({status}: {status: string}) => Number(status.split(' ')[1]);
const json = ({body}: {body: Buffer}) => JSON.parse(body.toString());

/** A digest of the image, to be compared instead of 64 MiB. */
const sha512 = (bytes: Buffer) => createHash('sha512').update(bytes).digest('hex');

test('what is read: the same status, headers and bytes', async t => {
  const glance = openstack();
  await using facade = await startFacade({servers: [glance.glanceUrl]});
  const token = await glance.token(glance.admin);
  const image = await glance.uploadImage({bytes: Buffer.alloc(100_000, 'x'), properties: {clé: 'é"\\', '1': 'one'}});
  const member = await glance.token(await glance.createProject(`facade-${image.id.slice(0, 8)}`));
  const secret = await glance.uploadImage({bytes: Buffer.alloc(10), visibility: 'private', token});
  const paths: [string, number, string?][] = [
    ['/', 300],
    ['/versions', 200],
    ['/v2/', 401],
    ['/v2', 401],
    ['/v1/images', 300],
    ['/v2/schemas/image', 200, token],
    ['/v2/schemas/images', 200, token],
    ['/v2/images?limit=2&sort=created_at:asc', 200, token],
    ['/v2/images?limit=nonsense', 400, token],
    [`/v2/images/${image.id}`, 200, token],
    [`/v2/images/${image.id}?x=y`, 200, token],
    [`/v2/images/${image.id}/`, 404, token],
    [`/v2/images/${image.id}/members`, 403, token],
    [`/v2/images/${image.id}/file`, 200, token],
    [`/v2/images/${secret.id}`, 404, member],
    [`/v2/images/${secret.id}/file`, 404, member],
    [`/v2/images/${image.id}`, 401],
    [`/v2/images/${image.id}`, 401, 'nonsense'],
    ['/v2/images/00000000-0000-4000-8000-000000000000', 404, token],
    ['/v2/images/%2e%2e/%c3%a9?a=%zz&&', 404, token],
    ['/nowhere', 300, token],
  ];
  const seen: [string, number][] = [];
  for (const [path, , as] of paths) {
    const {through} = await same(t, facade, 'GET', path, as === undefined ? {} : {token: as});
    seen.push([path, statusOf(through)]);
  }
  t.deepEqual(
    seen.filter(([, status], index) => status !== paths[index]?.[1]),
    [],
  );
  for (const path of ['/', '/v2/images', `/v2/images/${image.id}`, `/v2/images/${image.id}/file`])
    await same(t, facade, 'HEAD', path, {token});
  await same(t, facade, 'OPTIONS', '/v2/images', {token});
  await same(t, facade, 'GET', `/v2/images/${image.id}/file`, {token, headers: {Range: 'bytes=10-19'}});
});

test('what is written: created, uploaded in chunks, changed, read back, refused, deleted', async t => {
  const glance = openstack();
  await using facade = await startFacade({servers: [glance.glanceUrl]});
  const token = await glance.token(glance.admin);
  const member = await glance.token(await glance.createProject(`writer-${randomBytes(4).toString('hex')}`));
  const ids = {direct: '', through: ''};
  const hide = (text: string) =>
    text
      .replaceAll(ids.direct || '\0', 'ID')
      .replaceAll(ids.through || '\0', 'ID')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME');
  const path =
    (end = '') =>
    (direct: boolean) =>
      `/v2/images/${direct ? ids.direct : ids.through}${end}`;
  const type = {'Content-Type': 'application/json'};

  const create = {
    token,
    headers: type,
    body: '{"name": "a snapshot", "disk_format": "raw", "container_format": "bare", "x": "\\u00e9"}',
  };
  const glanceUrl = glance.glanceUrl;
  const [direct, through] = [
    await ask(glanceUrl, 'POST', '/v2/images', create),
    await ask(facade.url, 'POST', '/v2/images', create),
  ];
  [ids.direct, ids.through] = [json(direct).id, json(through).id];
  t.is(statusOf(through), 201);
  const noUrl = (text: string) => hide(text).replaceAll(facade.url, 'URL').replaceAll(glanceUrl, 'URL');
  t.deepEqual(compared(through, noUrl), compared(direct, noUrl));
  t.is(
    through.headers.find(([name]) => name.toLowerCase() === 'location')?.[1],
    `${glanceUrl}/v2/images/${ids.through}`,
    "Glance's own address, which is not ours to change",
  );

  const data = randomBytes(64 << 20);
  const octets = {'Content-Type': 'application/octet-stream'};
  const up = await same(t, facade, 'PUT', path('/file'), {token, headers: octets, body: data, chunked: true}, hide);
  t.is(statusOf(up.through), 204);
  const shown = await same(t, facade, 'GET', path(), {token}, hide);
  t.is(json(shown.through).os_hash_value, sha512(data));
  t.is(json(shown.through).status, 'active');
  const down = await ask(facade.url, 'GET', `/v2/images/${ids.through}/file`, {token});
  t.is(statusOf(down), 200);
  t.is(sha512(down.body), sha512(data));

  const again = await same(
    t,
    facade,
    'PUT',
    path('/file'),
    {token, headers: octets, body: 'more', chunked: true},
    hide,
  );
  t.is(statusOf(again.through), 409);
  const patch = (body: string, as = token) => ({token: as, headers: {'Content-Type': patchType}, body});
  for (const [body, status] of [
    ['[{"op": "replace", "path": "/x", "value": "other"}]', 200],
    ['[]', 200],
    ['[{"op": "replace", "path": "/locations", "value": []}]', 403],
    ['{"op"', 400],
    ['[{"op": "add", "path": "/locations/-", "value": {"url": "file:///etc/passwd", "metadata": {}}}]', 400],
  ] as const) {
    const {through: answer} = await same(t, facade, 'PATCH', path(), patch(body), hide);
    t.is(statusOf(answer), status, body);
  }
  await same(t, facade, 'PATCH', path(), patch('[]', member), hide);
  await same(t, facade, 'POST', path('/actions/deactivate'), {token}, hide);
  const off = await same(t, facade, 'GET', path(), {token}, hide);
  t.is(json(off.through).status, 'deactivated');
  await same(t, facade, 'PUT', path('/tags/one'), {token}, hide);
  await same(t, facade, 'DELETE', path(), {token: member}, hide);
  const gone = await same(t, facade, 'DELETE', path(), {token}, hide);
  t.is(statusOf(gone.through), 204);
  const after = await same(t, facade, 'GET', path(), {token}, hide);
  t.is(statusOf(after.through), 404);
});
