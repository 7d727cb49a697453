import {randomBytes} from 'node:crypto';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {parseRequests} from './glance-log.ts';
import {cellCluster, glanceCluster, openstack} from './shared.ts';
import {readState} from './state.ts';

const megabyte = 1 << 20;
const unique = (name: string) => `${name}-${randomBytes(4).toString('hex')}`;

test('without a running lab a test fails, and is told how to start one', t => {
  t.throws(() => readState(join(tmpdir(), unique('no-lab'))), {message: /npm run lab -- up.*npm test/});
});

test('the cell and Glance have a cluster each', t => {
  t.not(cellCluster().fsid, glanceCluster().fsid);
});

test("a download is counted in Glance's own log, with its bytes", async t => {
  const os = openstack();
  const token = await os.token(os.admin);
  const bytes = randomBytes(3 * megabyte);
  const {id, size} = await os.uploadImage({bytes});
  t.is(size, bytes.length);

  const mark = os.glanceMark();
  t.is(await os.glanceBytes(id), 0);
  const response = await fetch(`${os.glanceUrl}/v2/images/${id}/file`, {headers: {'X-Auth-Token': token}});
  t.deepEqual(Buffer.from(await response.arrayBuffer()), bytes);

  const path = `/v2/images/${id}/file`;
  const [request, ...others] = (await os.glanceRequests(mark)).filter(each => each.path === path);
  t.like(request, {method: 'GET', status: 200});
  t.deepEqual(others, []);
  const counted = await os.glanceBytes(id);
  t.true(counted >= size && counted < size + 1000, `${counted} bytes for an image of ${size}`);
  await os.deleteImage(id);
});

test("an image lies in Glance's cluster, and a location in the cell can be added", async t => {
  const os = openstack();
  const cell = cellCluster();
  const {id} = await os.uploadImage({bytes: randomBytes(megabyte)});
  await cell.rbd('create', '--size', '1', `images/${id}`);
  await cell.rbd('snap', 'create', `images/${id}@snap`);
  await os.addLocation(id, `rbd://${cell.fsid}/images/${id}/snap`);

  const headers = {'X-Auth-Token': await os.token(os.service)};
  const record = await (await fetch(`${os.glanceUrl}/v2/images/${id}`, {headers})).json();
  const fsids = (record as {locations: {url: string}[]}).locations.map(({url}) => url.split('/')[2]);
  t.deepEqual(fsids, [glanceCluster().fsid, cell.fsid]);
});

test('a member sees public images and those of its own project, not those of another', async t => {
  const os = openstack();
  const [one, two] = await Promise.all([os.createProject(unique('one')), os.createProject(unique('two'))]);
  const [first, second] = await Promise.all([os.token(one), os.token(two)]);
  const {id} = await os.uploadImage({bytes: randomBytes(1000), token: first});
  const status = async (token: string) => {
    const response = await fetch(`${os.glanceUrl}/v2/images/${id}`, {headers: {'X-Auth-Token': token}});
    await response.arrayBuffer();
    return response.status;
  };
  t.deepEqual([await status(first), await status(second)], [200, 404]);
});

test('ten members at once do not lock the databases', async t => {
  const os = openstack();
  const all = Array.from({length: 10}, async () => {
    const account = await os.createProject(unique('herd'));
    const {id} = await os.uploadImage({bytes: randomBytes(1000), token: await os.token(account)});
    await os.deleteImage(id);
  });
  await t.notThrowsAsync(Promise.all(all));
});

test("only request lines of Glance's log are taken for requests", t => {
  const log = [
    "2026-11-22 07:28:36.450 1 DEBUG eventlet.wsgi.server [-] (1) accepted ('127.0.0.1', 33330) server /usr/lib",
    '2026-11-22 07:28:36.452 1 INFO eventlet.wsgi.server [None req-1 - -] 127.0.0.1 - - [22/Nov/2026 07:28:36] "GET /v2/images/a/file HTTP/1.1" 200 1211 0.001508',
    '2026-11-22 07:28:36.453 1 DEBUG glance.api [-] Determining version of request: GET / Accept: */*',
  ];
  t.deepEqual(parseRequests(log.join('\n')), [{method: 'GET', path: '/v2/images/a/file', status: 200, bytes: 1211}]);
});
