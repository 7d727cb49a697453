import test, {type ExecutionContext} from 'ava';
import {GlanceClient, type GlanceOptions} from '../../src/glance/client.ts';
import {parseRecord} from '../../src/glance/record.ts';
import {Session} from '../../src/keystone/session.ts';
import {fails} from '../helpers/fails.ts';
import {cellarUser, startKeystone} from '../helpers/fake-keystone.ts';
import {imageId, imageJson, imageUrl} from '../helpers/glance-image.ts';
import {sendJson, startServer, type TestServer} from '../helpers/with-server.ts';

const never = new AbortController().signal;
const path = `/v2/images/${imageId}/locations`;
const record = parseRecord(imageJson(), imageId);
const visible = [{url: imageUrl, metadata: {}}];
const listed = [{url: 'rbd://cell/cellar/x/snap', metadata: {store: 'cell1'}}, ...visible];

type Glance = {versions?: [number, unknown]; locations?: [number, unknown]};

function startGlance({versions = [300, offers('v2.17')], locations = [200, listed]}: Glance): Promise<TestServer> {
  return startServer(({path}, response) => sendJson(response, ...(path === '/versions' ? versions : locations)));
}

const offers = (...ids: string[]) => ({versions: ids.map(id => ({id, status: 'SUPPORTED', links: []}))});

async function clientOf(t: ExecutionContext, glance: TestServer, options: GlanceOptions = {}): Promise<GlanceClient> {
  const keystone = await startKeystone();
  const session = new Session(cellarUser(keystone.url));
  const client = new GlanceClient({endpoint_override: glance.url, retries: 0, ...options}, session);
  t.teardown(async () => {
    client.close();
    session.close();
    await keystone[Symbol.asyncDispose]();
  });
  return client;
}

const matrix: [string, Glance, typeof listed, string[]][] = [
  ['2.17 lists them', {}, listed, ['/versions', path]],
  ['200 for the versions is as good as 300', {versions: [200, offers('v2.18', 'v2.0')]}, listed, ['/versions', path]],
  ['a Glance before 2.17 is not asked', {versions: [300, offers('v2.16', 'v2.9', 'v1.17')]}, visible, ['/versions']],
  ['versions that are denied', {versions: [404, {}]}, visible, ['/versions']],
  ['versions that are garbage', {versions: [300, ['v2.17']]}, visible, ['/versions']],
  ['policy says no', {locations: [403, {}]}, visible, ['/versions', path]],
  ['not there after all', {locations: [404, {}]}, visible, ['/versions', path]],
  ['our token is not accepted, nor is a new one', {locations: [401, {}]}, visible, ['/versions', path, path]],
];

for (const [name, glance, expected, paths] of matrix) {
  test(name, async t => {
    await using server = await startGlance(glance);
    t.deepEqual(await (await clientOf(t, server)).locations(record, never), expected);
    t.deepEqual(
      server.seen.map(({path}) => path),
      paths,
    );
  });
}

test('they are asked for with our token, the versions with none', async t => {
  await using server = await startGlance({});
  await (await clientOf(t, server, {send_service_user_token: true})).locations(record, never);
  t.deepEqual(
    server.seen.map(({headers}) => [headers['x-auth-token'], headers['x-service-token']]),
    [
      [undefined, undefined],
      ['s3cr3t-token-1', undefined],
    ],
  );
});

test('the versions are asked for once, until they are too old to believe', async t => {
  await using server = await startGlance({});
  const client = await clientOf(t, server);
  await client.locations(record, never);
  await client.locations(record, never);
  t.is(server.lines().filter(line => line === 'GET /versions').length, 1);
  const forgetful = await clientOf(t, server, {versions_ttl: 0});
  await forgetful.locations(record, never);
  await forgetful.locations(record, never);
  t.is(server.lines().filter(line => line === 'GET /versions').length, 3);
});

test('without a user of our own there are those of the record', async t => {
  await using server = await startGlance({});
  const client = new GlanceClient({endpoint_override: server.url});
  t.teardown(() => client.close());
  t.deepEqual(await client.locations(record, never), visible);
  t.is(server.seen.length, 0);
});

test('a Glance that is down is no want of rights', async t => {
  await using server = await startGlance({locations: [503, {}]});
  await fails(t, (await clientOf(t, server)).locations(record, never), 'unavailable', /locations: 503/);
});

test('a list that is none is corrupt', async t => {
  await using server = await startGlance({locations: [200, {locations: []}]});
  await fails(
    t,
    (await clientOf(t, server)).locations(record, never),
    'corrupt',
    /the locations of image .*\(the whole\)/,
  );
});
