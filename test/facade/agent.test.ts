/** The facade of a real agent, with real Glance, Keystone and Ceph: what Nova sees, and what it costs. */
import {randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {deadUrl} from '../helpers/with-server.ts';
import {makePlace, type Place} from '../integration/place.ts';
import {openstack} from '../lab/shared.ts';

const mib = 1024 * 1024;

type Shown = {status: number; text: string; json: Record<string, unknown> & {locations?: {url: string}[]}};

async function facadePlace(conf = ''): Promise<Place & {url: string}> {
  const url = await deadUrl(); // whose port is free
  const place = await makePlace({conf: `[facade]\nlisten = ${url.slice('http://'.length)}\n${conf}`, glance: url});
  return Object.assign(place, {url});
}

async function show(url: string, id: string, token: string, signal?: AbortSignal): Promise<Shown> {
  const headers = {'X-Auth-Token': token, 'X-OpenStack-Request-ID': 'req-11111111-2222-4333-8444-555555555555'};
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
    const {readFileSync, rmSync} = await import('node:fs');
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
  t.like(line, {image: image.id, requestId: 'req-11111111-2222-4333-8444-555555555555'});
  t.false(agent.text.includes(token));
});
