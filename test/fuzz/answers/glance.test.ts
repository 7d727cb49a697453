/** Whatever Glance answers, the agent has a record of the right shape, or an error that says so in a few words. */
import test from 'ava';
import fc from 'fast-check';
import type {Requester} from '../../../src/core/image.ts';
import {parseLocation} from '../../../src/core/location.ts';
import {GlanceClient} from '../../../src/glance/client.ts';
import {imageId, imageJson} from '../../helpers/glance-image.ts';
import {startServer} from '../../helpers/with-server.ts';
import {changed, changes, fuzz, nearlyJson, unpolluted} from '../fuzz.ts';
import {outcome} from './outcome.ts';

const never = new AbortController().signal;
const secrets = ['s3cr3t-user-token', 's3cr3t-service-token'];
const requester: Requester = {token: 's3cr3t-user-token'};
const own = {
  token: async () => 's3cr3t-service-token',
  invalidate: () => {},
  endpoint: async () => {
    throw new Error('it is configured');
  },
};

type Answers = {record: string; versions: string; locations: string; status: number};

const answers: fc.Arbitrary<Answers> = fc.record({
  record: fc.oneof(
    {weight: 4, arbitrary: nearlyJson(imageJson())},
    // what a proxy, or a server that quotes the request, says in its place
    {weight: 1, arbitrary: changes.map(list => changed('<html>bad token s3cr3t-user-token</html>', list))},
  ),
  versions: nearlyJson({versions: [{id: 'v2.17', status: 'CURRENT', links: []}]}),
  locations: nearlyJson([{url: 'rbd://fsid/pool/image/snap', metadata: {store: 'rbd'}}]),
  status: fc.constantFrom(200, 200, 200, 200, 204, 300, 302, 400, 403, 404, 410, 418, 500, 503),
});

test("whatever Glance's answers hold, it is a record or an error, without a token and of a bounded length", async t => {
  let now: Answers;
  await using server = await startServer(({path}, response) => {
    const text = path === '/versions' ? now.versions : path.endsWith('/locations') ? now.locations : now.record;
    const body = now.status === 204 ? '' : Buffer.from(text, 'utf8');
    response
      .writeHead(now.status, {
        'content-type': 'application/json',
        location: 'http://u:s3cr3t-service-token@x/?s3cr3t-user-token',
      })
      .end(body);
  });
  await fuzz(t, new URL('glance-seeds.ndjson', import.meta.url), answers, async given => {
    now = given;
    const client = new GlanceClient({endpoint_override: server.url, retries: 0, versions_ttl: 0}, own);
    try {
      const got = await outcome(secrets, async () => {
        const record = await client.get(imageId, requester, never);
        return {...record, locations: await client.locations(record, never)};
      });
      unpolluted();
      if (got === undefined) return;
      if (got.id !== imageId || typeof got.status !== 'string') throw new Error('it is no record of this image');
      for (const size of [got.size, got.virtualSize, got.minDisk])
        if (size !== undefined && !(Number.isSafeInteger(size) && size >= 0)) throw new Error(`a size of ${size}`);
      for (const {url} of got.locations) parseLocation(url);
    } finally {
      client.close();
    }
  });
});
