/** Volumes from images: Cinder's own driver and Glance client, whose Glance is the facade of a real agent. */
import {randomBytes, randomUUID} from 'node:crypto';
import {openSync, readSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {pipeline} from 'node:stream';
import test from 'ava';
import {startProxy} from '../helpers/proxy.ts';
import {deadUrl} from '../helpers/with-server.ts';
import {makePlace, type Place} from '../integration/place.ts';
import {run} from '../lab/run.ts';
import {openstack, type Uploaded} from '../lab/shared.ts';
import {type Cinder, type CinderAnswer, makeCinder} from './cinder.ts';

const mib = 1024 * 1024;
const gib = 1024 * mib;

async function facadePlace(conf = ''): Promise<Place & {url: string}> {
  const url = await deadUrl(); // whose port is free
  const place = await makePlace({conf: `[facade]\nlisten = ${url.slice('http://'.length)}\n${conf}`, glance: url});
  return Object.assign(place, {url});
}

async function upload(dir: string, diskFormat: string, bytes: Buffer): Promise<Uploaded> {
  if (diskFormat === 'raw') return openstack().uploadImage({bytes});
  const [raw, packed] = [join(dir, 'raw'), join(dir, diskFormat)];
  writeFileSync(raw, bytes);
  await run('qemu-img', ['convert', '-f', 'raw', '-O', diskFormat, raw, packed]);
  rmSync(raw);
  return openstack().uploadImage({path: packed, diskFormat});
}

/** Downloads of the image that Glance has seen. */
const downloads = async (id: string) =>
  (await openstack().glanceRequests()).filter(({method, path}) => method === 'GET' && path === `/v2/images/${id}/file`)
    .length;

const volumes = async ({cell}: Place, {pool}: Cinder): Promise<string[]> =>
  JSON.parse(await cell.rbd('ls', pool, '--format=json'));

/** The bytes of a volume: those of the image, and zeros behind them. */
async function holds({cell, dir}: Place, volume: string, bytes: Buffer): Promise<boolean> {
  const file = join(dir, 'volume');
  await cell.rbd('export', '--no-progress', volume, file);
  const fd = openSync(file, 'r');
  const zeros = Buffer.alloc(bytes.length);
  const chunk = Buffer.alloc(bytes.length);
  const {size} = statSync(file);
  let same = true;
  for (let at = 0; at < size; at += bytes.length) {
    const length = readSync(fd, chunk, 0, bytes.length, at);
    same &&= chunk.subarray(0, length).equals((at === 0 ? bytes : zeros).subarray(0, length));
  }
  rmSync(file);
  return same;
}

for (const [diskFormat, cloneFormat] of [
  ['raw', 1],
  ['qcow2', 2],
] as const)
  test.serial(`volumes of a ${diskFormat} image are clones (of format ${cloneFormat}) of the cell's copy`, async t => {
    await using place = await facadePlace();
    await using cinder = await makeCinder(place.cell, place.cache);
    await place.cell.ceph('config', 'set', `client.${cinder.user}`, 'rbd_default_clone_format', `${cloneFormat}`);
    const glance = openstack();
    const token = await glance.token(glance.admin);
    const bytes = Buffer.concat([randomBytes(9 * mib), Buffer.alloc(5 * mib), randomBytes(2 * mib)]);
    const image = await upload(place.dir, diskFormat, bytes);
    await using agent = await place.startAgent();
    const create = {call: 'create' as const, image: image.id, token};
    const ids = [randomUUID(), randomUUID()] as const;

    const direct = await cinder.ask(glance.glanceUrl, [{...create, id: randomUUID(), size: 1}]);
    t.deepEqual(direct, [{update: {}, cloned: false, name: direct[0]?.name as string, format: diskFormat}]);
    t.deepEqual(await volumes(place, cinder), [], "Glance's own locations lead to no clone");

    const answers = await cinder.ask(place.url, [
      {...create, id: ids[0], size: 1},
      {...create, id: ids[1], size: 2},
    ]);
    const made = (id: string): CinderAnswer => ({
      update: {provider_location: null},
      cloned: true,
      name: `volume-${id}`,
      format: 'raw',
    });
    t.deepEqual(answers, ids.map(made));
    t.is(await downloads(image.id), 1);
    const [copy] = await place.cacheImages();
    for (const [index, id] of ids.entries()) {
      const volume = `${cinder.pool}/volume-${id}`;
      const info = JSON.parse(await place.cell.rbd('info', '--format=json', volume));
      t.is(info.size, (index + 1) * gib);
      t.like(info.parent, {pool: place.cache, image: copy, snapshot: 'snap', overlap: bytes.length});
      t.is(info.op_features?.includes('clone-child') ?? false, cloneFormat === 2);
      t.true(await holds(place, volume, bytes));
    }

    // What the janitor does to an evicted copy, with the agent's user, who has no right to the pool of volumes.
    const unprotect = () =>
      run('rbd', ['-c', place.cell.conf, '--id', place.cache, 'snap', 'unprotect', `${place.cache}/${copy}@snap`]);
    if (cloneFormat === 1) await t.throwsAsync(unprotect(), {message: /busy/i});
    const deletions = ids.map(id => ({call: 'delete' as const, id}));
    t.deepEqual(await cinder.ask(place.url, deletions), [{}, {}]);
    t.deepEqual(await volumes(place, cinder), []);
    await t.notThrowsAsync(unprotect());
    t.false(agent.text.includes(token));
  });

test.serial('an image that the token may not see is not cloned, though the cell has a copy', async t => {
  await using place = await facadePlace();
  await using cinder = await makeCinder(place.cell, place.cache);
  const glance = openstack();
  const owner = await glance.token(await glance.createProject(`cinder-owner-${place.cache}`));
  const other = await glance.token(await glance.createProject(`cinder-other-${place.cache}`));
  const image = await glance.uploadImage({bytes: Buffer.alloc(mib, 'x'), visibility: 'private', token: owner});
  await using agent = await place.startAgent();
  const create = {call: 'create' as const, image: image.id, size: 1};
  const id = randomUUID();
  const [refused, made, again] = await cinder.ask(place.url, [
    {...create, token: other, id: randomUUID()},
    {...create, token: owner, id},
    {...create, token: other, id: randomUUID()},
  ]);
  t.like(refused, {error: 'ImageNotFound'});
  t.like(made, {cloned: true});
  t.like(again, {error: 'ImageNotFound'});
  t.deepEqual(await volumes(place, cinder), [`volume-${id}`]);
  t.is(await downloads(image.id), 1);
  for (const secret of [owner, other]) t.false(agent.text.includes(secret));
});

test.serial('a qcow2 image gets its copy between two questions of Cinder: it downloads what it began with', async t => {
  const glance = openstack();
  await using slow = await startProxy(glance.glanceUrl);
  await using place = await facadePlace(`upstream = ${slow.url}\nhold_timeout = 1\n`);
  await using cinder = await makeCinder(place.cell, place.cache);
  const token = await glance.token(glance.admin);
  const bytes = Buffer.concat([randomBytes(2 * mib), Buffer.alloc(mib)]);
  const image = await upload(place.dir, 'qcow2', bytes);
  await using agent = await place.startAgent();
  const told = agent.waitForLog(line => line['reason'] === 'takes-too-long');
  const filled = agent.waitForLog(({event}) => event === 'fill-published');
  const asks = `GET /v2/images/${image.id}`;
  slow.fault = ({method, path, count}, _, upstream) => {
    const what = `${method} ${path}`;
    // The fill waits until Cinder has its first answer, and Cinder's second question until the fill is done.
    const isCinders = /python/.test(slow.heads.at(-1)?.['user-agent'] ?? '');
    const again = isCinders && slow.seen.includes(`${asks}/file`);
    const wait = what === `${asks}/file` && count === 1 ? told : what === asks && again ? filled : undefined;
    if (wait === undefined) return false;
    upstream(async (answer, response) => {
      await wait;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, response, () => {});
    });
    return true;
  };
  const create = {call: 'create_or_download' as const, image: image.id, token, size: 1};
  const [first, second] = await cinder.ask(place.url, [
    {...create, id: randomUUID()},
    {...create, id: randomUUID()},
  ]);
  t.like(first, {cloned: false, format: 'qcow2', bytes: bytes.length});
  t.like(second, {cloned: true, format: 'raw'});
  t.is(await downloads(image.id), 2);
});

test.serial(
  'a Cinder that may not read the copies makes no clone, and refuses qcow2 that it is told is raw',
  async t => {
    await using place = await facadePlace();
    await using cinder = await makeCinder(place.cell);
    const glance = openstack();
    const token = await glance.token(glance.admin);
    const bytes = Buffer.concat([randomBytes(2 * mib), Buffer.alloc(mib)]);
    const raw = await upload(place.dir, 'raw', bytes);
    const packed = await upload(place.dir, 'qcow2', bytes);
    await using _agent = await place.startAgent();
    const create = {call: 'create' as const, token, size: 1};
    const [rawClone, packedClone, rawFile, packedFile] = await cinder.ask(place.url, [
      {...create, image: raw.id, id: randomUUID()},
      {...create, image: packed.id, id: randomUUID()},
      {call: 'download', image: raw.id, token},
      {call: 'download', image: packed.id, token},
    ]);
    t.like(rawClone, {update: {}, cloned: false});
    t.like(packedClone, {update: {}, cloned: false});
    t.deepEqual(await volumes(place, cinder), []);
    t.deepEqual(rawFile, {bytes: bytes.length});
    t.like(packedFile, {error: 'ImageUnacceptable'});
    t.deepEqual(await cinder.ask(glance.glanceUrl, [{call: 'download', image: packed.id, token}]), [
      {bytes: bytes.length},
    ]);
  },
);
