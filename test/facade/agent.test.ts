/** The facade of a real agent, with real Glance, Keystone and Ceph: what Nova sees, and what it costs. */
import {randomBytes, randomUUID} from 'node:crypto';
import {readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {startProxy} from '../helpers/proxy.ts';
import {deadUrl} from '../helpers/with-server.ts';
import {makePlace, type Place} from '../integration/place.ts';
import {run} from '../lab/run.ts';
import {openstack} from '../lab/shared.ts';

const mib = 1024 * 1024;

type Shown = {status: number; text: string; json: Record<string, unknown> & {locations?: {url: string}[]}};

async function facadePlace(conf = ''): Promise<Place & {url: string}> {
  const url = await deadUrl(); // whose port is free
  const place = await makePlace({conf: `[facade]\nlisten = ${url.slice('http://'.length)}\n${conf}`, glance: url});
  return Object.assign(place, {url});
}

/** Each time as another piece of work. */
async function show(url: string, id: string, token: string, signal?: AbortSignal): Promise<Shown> {
  const headers = {'X-Auth-Token': token, 'X-OpenStack-Request-ID': `req-${randomUUID()}`};
  const response = await fetch(`${url}/v2/images/${id}`, {headers, ...(signal && {signal})});
  const text = await response.text();
  return {
    status: response.status,
    text,
    json: response.headers.get('content-type')?.startsWith('application/json') ? JSON.parse(text) : {},
  };
}

/** Downloads of the image that Glance has seen. */
const downloads = async (id: string) =>
  (await openstack().glanceRequests()).filter(({method, path}) => method === 'GET' && path === `/v2/images/${id}/file`)
    .length;

/** The first location is a protected snapshot in the cell's cache that holds these bytes; the rest is Glance's own. */
async function isOffered(t: ExecutionContext, place: Place, {status, json}: Shown, direct: Shown, bytes?: Buffer) {
  t.is(status, 200);
  const [first, ...rest] = json.locations ?? [];
  const [, fsid, pool, image, snapshot] = /^rbd:\/\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(first?.url ?? '') ?? [];
  t.deepEqual([fsid, pool, snapshot], [place.cell.fsid, place.cache, 'snap']);
  t.deepEqual(first, {url: first?.url, metadata: {}} as typeof first);
  t.deepEqual({...json, locations: rest}, {...direct.json, locations: direct.json.locations ?? [], disk_format: 'raw'});
  t.regex(await place.cell.rbd('info', `${pool}/${image}@${snapshot}`), /protected: True/);
  if (bytes !== undefined) {
    const out = `${place.dir}/copy`;
    await place.cell.rbd('export', '--no-progress', `${pool}/${image}@${snapshot}`, out);
    t.true(readFileSync(out).equals(bytes));
    rmSync(out);
  }
}

test.serial('twenty ask at once: all are held for one download, and then shown the copy', async t => {
  await using place = await facadePlace();
  const glance = openstack();
  const token = await glance.token(glance.admin);
  const bytes = Buffer.concat([randomBytes(9 * mib), Buffer.alloc(5 * mib), randomBytes(1000)]);
  const image = await glance.uploadImage({bytes});
  await using agent = await place.startAgent();
  const direct = await show(glance.glanceUrl, image.id, token);
  const answers = await Promise.all(Array.from({length: 20}, () => show(place.url, image.id, token)));
  t.is(await downloads(image.id), 1);
  t.is(new Set(answers.map(({text}) => text)).size, 1);
  await isOffered(t, place, answers[0] as Shown, direct, bytes);
  await isOffered(t, place, await show(place.url, image.id, token), direct);
  t.is(await downloads(image.id), 1);
  const line = await agent.waitForLog(one => typeof one['offered'] === 'string');
  t.like(line, {image: image.id});
  t.regex(String(line['requestId']), /^req-[0-9a-f-]{36}$/);
  t.false(agent.text.includes(token));
});

test.serial('a qcow2 image is shown as its raw copy; what a client writes back holds nothing of ours', async t => {
  await using place = await facadePlace();
  const glance = openstack();
  const token = await glance.token(glance.admin);
  const raw = join(place.dir, 'raw');
  const packed = join(place.dir, 'qcow2');
  const bytes = Buffer.concat([randomBytes(2 * mib), Buffer.alloc(3 * mib)]);
  writeFileSync(raw, bytes);
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, packed]);
  const image = await glance.uploadImage({
    path: packed,
    diskFormat: 'qcow2',
    properties: {before: 'kept', changed: 'old'},
  });
  await using agent = await place.startAgent();
  const direct = await show(glance.glanceUrl, image.id, token);
  await isOffered(t, place, await show(place.url, image.id, token), direct, bytes);

  const script = `
import sys, glanceclient
endpoint, token, image = sys.argv[1:]
client = glanceclient.Client('2', endpoint=endpoint, token=token)
shown = client.images.get(image)
assert shown['disk_format'] == 'raw' and '/${place.cache}/' in shown['locations'][0]['url'], shown
client.images.update(image, changed='new', added='by glanceclient')
`;
  await run('/usr/bin/python3', ['-c', script, place.url, token, image.id]);
  const after = await show(glance.glanceUrl, image.id, token);
  const {updated_at: _, ...record} = after.json;
  const {updated_at: __, ...before} = direct.json;
  t.deepEqual(record, {...before, changed: 'new', added: 'by glanceclient'} as typeof record);
  const writes = (await glance.glanceRequests()).filter(
    ({method, path}) => method === 'PATCH' && path.includes(image.id),
  );
  t.is(writes.length, 1);
  await agent.stop();
});

test.serial("what the token may not see is Glance's own 404, and starts no fill", async t => {
  await using place = await facadePlace();
  const glance = openstack();
  const owner = await glance.token(await glance.createProject(`facade-owner-${place.cache}`));
  const other = await glance.token(await glance.createProject(`facade-other-${place.cache}`));
  const bytes = Buffer.alloc(mib, 'x');
  const image = await glance.uploadImage({bytes, visibility: 'private', token: owner});
  await using agent = await place.startAgent();
  const direct = await show(glance.glanceUrl, image.id, other);
  t.is(direct.status, 404);
  t.is((await show(place.url, image.id, other)).text, direct.text);
  t.deepEqual(await place.cacheImages(), []);
  await isOffered(
    t,
    place,
    await show(place.url, image.id, owner),
    await show(glance.glanceUrl, image.id, owner),
    bytes,
  );
  t.is((await show(place.url, image.id, other)).status, 404, 'that there is a copy changes nothing');
  t.is((await show(place.url, image.id, 'nonsense')).status, 401);
  t.is(await downloads(image.id), 1);
  for (const secret of [owner, other]) t.false(agent.text.includes(secret));
});

test.serial(
  'left as they are: images not active, kernels, ISO; and one whose copy was removed by hand is filled again',
  async t => {
    await using place = await facadePlace();
    const glance = openstack();
    const token = await glance.token(glance.admin);
    const bytes = Buffer.alloc(mib, 'x');
    const kernel = await glance.uploadImage({bytes, diskFormat: 'aki', properties: {container_format: 'aki'}});
    const iso = await glance.uploadImage({bytes, diskFormat: 'iso'});
    const off = await glance.uploadImage({bytes});
    const image = await glance.uploadImage({bytes});
    await fetch(`${glance.glanceUrl}/v2/images/${off.id}/actions/deactivate`, {
      method: 'POST',
      headers: {'X-Auth-Token': token},
    });
    await using agent = await place.startAgent();
    for (const {id} of [kernel, iso, off])
      t.is((await show(place.url, id, token)).text, (await show(glance.glanceUrl, id, token)).text);
    t.deepEqual(await place.cacheImages(), []);

    const first = await show(place.url, image.id, token);
    const [name = ''] = await place.cacheImages();
    await place.cell.rbd('snap', 'unprotect', `${place.cache}/${name}@snap`);
    await place.cell.rbd('snap', 'purge', '--no-progress', `${place.cache}/${name}`);
    await place.cell.rbd('rm', '--no-progress', `${place.cache}/${name}`);
    const again = await show(place.url, image.id, token);
    t.not(again.text, first.text);
    await isOffered(t, place, again, await show(glance.glanceUrl, image.id, token), bytes);
    t.true(agent.log.some(line => line['event'] === 'copy-retired'));
  },
);

test.serial('a snapshot that was uploaded here is not held when it is looked at, and not copied', async t => {
  await using place = await facadePlace();
  const glance = openstack();
  const token = await glance.token(glance.admin);
  await using agent = await place.startAgent();
  const headers = {'X-Auth-Token': token, 'Content-Type': 'application/json'};
  const body = JSON.stringify({name: 'snapshot', disk_format: 'raw', container_format: 'bare'});
  const {id} = (await (await fetch(`${place.url}/v2/images`, {method: 'POST', headers, body})).json()) as {id: string};
  const data = new Blob([randomBytes(5 * mib)]).stream();
  const upload = {
    method: 'PUT',
    headers: {...headers, 'Content-Type': 'application/octet-stream'},
    body: data,
    duplex: 'half',
  };
  t.is((await fetch(`${place.url}/v2/images/${id}/file`, upload as RequestInit)).status, 204);
  const shown = await show(place.url, id, token);
  t.is(shown.json['status'], 'active');
  t.is(shown.text, (await show(glance.glanceUrl, id, token)).text);
  t.is(await downloads(id), 0);
  t.like(
    agent.log.find(line => line['image'] === id),
    {why: 'the cell has no copy yet'},
  );
});

test.serial('a download that breaks: the answer is left as it is, and the next one tries again', async t => {
  const glance = openstack();
  await using broken = await startProxy(glance.glanceUrl);
  const url = await deadUrl();
  await using place = await makePlace({
    conf: `[facade]\nlisten = ${url.slice(7)}\nupstream = ${broken.url}\n`,
    glance: url,
  });
  const token = await glance.token(glance.admin);
  const bytes = Buffer.alloc(mib, 'x');
  const image = await glance.uploadImage({bytes});
  await using agent = await place.startAgent();
  const direct = await show(glance.glanceUrl, image.id, token);
  broken.fault = ({path}, response) => {
    if (!path.endsWith('/file')) return false;
    response.writeHead(200, {'Content-Length': bytes.length}).write(bytes.subarray(0, 1000));
    response.destroy();
    return true;
  };
  t.is((await show(url, image.id, token)).text, direct.text);
  t.true(agent.log.some(line => line['event'] === 'offer-failed'));
  broken.fault = undefined;
  await isOffered(t, place, await show(url, image.id, token), direct, bytes);

  broken.fault = (_, response) => {
    response.destroy();
    return true;
  };
  await t.throwsAsync(show(url, image.id, token), undefined, 'Glance hangs up, and so do we');
  await broken[Symbol.asyncDispose]();
  t.is((await show(url, image.id, token)).status, 503);
});

test.serial('Nova leaves while its answer is held: the fill that only it wanted ends', async t => {
  const glance = openstack();
  await using slow = await startProxy(glance.glanceUrl);
  const url = await deadUrl();
  await using place = await makePlace({
    conf: `[facade]\nlisten = ${url.slice(7)}\nupstream = ${slow.url}\n`,
    glance: url,
  });
  const token = await glance.token(glance.admin);
  const image = await glance.uploadImage({bytes: Buffer.alloc(mib, 'x')});
  slow.fault = ({path}, response) => {
    if (!path.endsWith('/file')) return false;
    response.writeHead(200, {'Content-Length': mib}).write('x');
    return true; // and nothing more
  };
  await using agent = await place.startAgent();
  const leave = new AbortController();
  const left = t.throwsAsync(show(url, image.id, token, leave.signal));
  await agent.waitForLog(line => line['event'] === 'fill-started');
  leave.abort();
  await left;
  await agent.waitForLog(line => line['event'] === 'copy-removed');
  t.deepEqual(await place.cacheImages(), []);
});
