/** The client against the lab's real Glance (Zed, images in RBD) and Keystone. */
import {createHash, randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {GlanceClient, type GlanceOptions} from '../../src/glance/client.ts';
import {Session} from '../../src/keystone/session.ts';
import {fails} from '../helpers/fails.ts';
import {openstack, type Uploaded} from '../lab/shared.ts';

const stack = openstack();
const soon = () => AbortSignal.timeout(120_000);
const unique = `live-glance-${process.pid}-${Date.now()}`;
/** 9 MiB and some: more than one RADOS object, and no multiple of anything. */
const data = randomBytes(9 * 1024 * 1024 + 123);

let publicImage: Uploaded;
let privateImage: Uploaded;
let owner: string;
let stranger: string;

test.before(async () => {
  const [one, other] = await Promise.all([
    stack.createProject(`${unique}-owner`),
    stack.createProject(`${unique}-stranger`),
  ]);
  [owner, stranger] = await Promise.all([stack.token(one), stack.token(other)]);
  [publicImage, privateImage] = await Promise.all([
    stack.uploadImage({bytes: data, name: unique, properties: {min_disk: 3}}),
    stack.uploadImage({bytes: data, name: unique, token: owner, visibility: 'private', diskFormat: 'qcow2'}),
  ]);
});

test.after.always(() => Promise.all([publicImage, privateImage].map(image => image && stack.deleteImage(image.id))));

function open(t: ExecutionContext, options: GlanceOptions = {}): GlanceClient {
  const {username, password, project, domain} = stack.service;
  const session = new Session({
    auth_type: 'password',
    auth_url: stack.keystoneUrl,
    username,
    password,
    user_domain_name: domain,
    project_name: project,
    project_domain_name: domain,
  });
  const client = new GlanceClient(options, session);
  t.teardown(() => [client, session].map(one => one.close()));
  return client;
}

async function create(token: string, body: object): Promise<string> {
  const headers = {'X-Auth-Token': token, 'Content-Type': 'application/json'};
  const init = {method: 'POST', headers, body: JSON.stringify(body), signal: soon()};
  const response = await fetch(`${stack.glanceUrl}/v2/images`, init);
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return ((await response.json()) as {id: string}).id;
}

test('a public image, with our own token at the endpoint of the catalog', async t => {
  const record = await open(t).get(publicImage.id, {}, soon());
  t.like(record, {
    id: publicImage.id,
    name: unique,
    status: 'active',
    diskFormat: 'raw',
    containerFormat: 'bare',
    size: data.length,
    checksum: createHash('md5').update(data).digest('hex'),
    osHashAlgo: 'sha512',
    osHashValue: createHash('sha512').update(data).digest('hex'),
    minDisk: 3,
  });
});

test('a private image is there for its owner and for no stranger', async t => {
  const client = open(t, {endpoint_override: `${stack.glanceUrl}/v2`});
  t.is((await client.get(privateImage.id, {token: owner}, soon())).diskFormat, 'qcow2');
  const error = await fails(t, client.get(privateImage.id, {token: stranger}, soon()), 'not-found', /: 404 Not Found/);
  t.is(error.object, privateImage.id);
  const record = await client.get(privateImage.id, {token: owner}, soon());
  await fails(t, client.download(record, {token: stranger}, soon()), 'not-found', /: 404 Not Found/);
});

test('an image that never was', async t => {
  await fails(
    t,
    open(t).get('00000000-0000-4000-8000-000000000000', {}, soon()),
    'not-found',
    /No image found with ID 00000000/,
  );
});

test('a token that Keystone does not know, with ours beside it', async t => {
  const client = open(t, {send_service_user_token: true});
  await fails(t, client.get(publicImage.id, {token: 's3cr3t-nonsense'}, soon()), 'unauthorized', /: 401 Unauthorized/);
  t.is((await client.get(publicImage.id, {token: stranger}, soon())).id, publicImage.id);
});

test('the locations are those of the record where this Glance lists none (before 2.17)', async t => {
  const client = open(t);
  const record = await client.get(publicImage.id, {}, soon());
  const mark = stack.glanceMark();
  const locations = await client.locations(record, soon());
  t.is(locations.length, 1);
  t.regex(locations[0]?.url ?? '', new RegExp(`^rbd://[0-9a-f-]{36}/images/${publicImage.id}/snap$`));
  const asked = (await stack.glanceRequests(mark)).map(({method, path, status}) => `${method} ${path} ${status}`);
  t.true(asked.includes('GET /versions 200'));
  t.false(asked.some(line => line.includes(`${publicImage.id}/locations`)));
});

test('a download has the bytes and the hash of the upload', async t => {
  const client = open(t);
  const record = await client.get(privateImage.id, {token: owner}, soon());
  const {length, body} = await client.download(record, {token: owner}, soon());
  t.is(length, data.length);
  const hash = createHash('sha512');
  let received = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    received += chunk.length;
  }
  t.is(received, data.length);
  t.is(hash.digest('hex'), privateImage.sha512);
});

test('an image without data: its record is there, its download is 204', async t => {
  const id = await create(owner, {name: unique, disk_format: 'raw', container_format: 'bare'});
  t.teardown(() => stack.deleteImage(id));
  const client = open(t);
  const record = await client.get(id, {token: owner}, soon());
  t.like(record, {status: 'queued', size: undefined, checksum: undefined, osHashValue: undefined, locations: []});
  const error = await fails(t, client.download(record, {token: owner}, soon()), 'corrupt', /: 204 No Content$/);
  t.regex(error.hint ?? '', /never uploaded/);
});

test('a deactivated image is forbidden to its owner', async t => {
  const {id} = await stack.uploadImage({bytes: Buffer.from('data'), name: unique, token: owner});
  t.teardown(() => stack.deleteImage(id));
  const headers = {'X-Auth-Token': await stack.token(stack.admin)};
  await fetch(`${stack.glanceUrl}/v2/images/${id}/actions/deactivate`, {method: 'POST', headers, signal: soon()});
  const client = open(t);
  const record = await client.get(id, {token: owner}, soon());
  t.is(record.status, 'deactivated');
  await fails(t, client.download(record, {token: owner}, soon()), 'forbidden', /: 403 Forbidden/);
});

test('an early end and a second download over the same client', async t => {
  const client = open(t);
  const record = await client.get(publicImage.id, {}, soon());
  for await (const chunk of (await client.download(record, {}, soon())).body) {
    t.true(chunk.length > 0);
    break;
  }
  let received = 0;
  for await (const chunk of (await client.download(record, {}, soon())).body) received += chunk.length;
  t.is(received, data.length);
});
