/** One request id joins what Nova or another caller asked, the agent's lines about it, and what the agent asked Glance for it. */
import {request} from 'node:http';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {type Proxy as Recorder, startProxy} from '../helpers/proxy.ts';
import {deadUrl} from '../helpers/with-server.ts';
import {makePlace} from '../integration/place.ts';
import {openstack} from '../lab/shared.ts';

const mib = 1024 * 1024;
const ids = ['1', '2'].map(one => `req-${one.repeat(8)}-2222-4333-8444-555555555555`) as [string, string];

type Line = Record<string, unknown>;
const about = (log: Line[], image: string) => log.filter(line => JSON.stringify(line).includes(image));
const eventsOf = (lines: Line[]) => lines.flatMap(({event}) => (typeof event === 'string' ? [event] : []));

/** The request ids under which Glance was asked for the image. */
const askedUnder = ({seen, heads}: Recorder, image: string) =>
  seen.flatMap((path, index) => (path.includes(image) ? [heads[index]?.['x-openstack-request-id']] : []));

test.serial("Nova's question through the facade: its id is in every line, and in all that Glance is asked", async t => {
  const glance = openstack();
  await using proxy = await startProxy(glance.glanceUrl);
  const facade = await deadUrl();
  await using place = await makePlace({
    glance: facade,
    conf: `[facade]\nlisten = ${facade.slice('http://'.length)}\nupstream = ${proxy.url}\n`,
  });
  const image = await glance.uploadImage({bytes: Buffer.alloc(6 * mib, 'x')});
  await using agent = await place.startAgent();
  const headers = {'X-Auth-Token': await glance.token(glance.admin), 'X-OpenStack-Request-ID': ids[0]};
  const shown = await fetch(`${facade}/v2/images/${image.id}`, {headers});
  t.true((await shown.text()).includes(place.cache));
  await agent.waitForLog(({path}) => path === `/v2/images/${image.id}`);

  const lines = about(agent.log, image.id);
  t.true(['fill-started', 'fill-published'].every(event => eventsOf(lines).includes(event)));
  t.true(lines.some(({offered}) => typeof offered === 'string'));
  t.deepEqual(
    lines.filter(({requestId}) => requestId !== ids[0]),
    [],
  );
  const asked = askedUnder(proxy, image.id);
  t.true(asked.length >= 3, 'the record, the file, and whether the agent itself may read it');
  t.deepEqual([...new Set(asked)], [ids[0]]);
});

test.serial(
  'the API: requests at the same time keep their ids apart; an id of another form is replaced by one',
  async t => {
    const glance = openstack();
    await using proxy = await startProxy(glance.glanceUrl);
    await using place = await makePlace({glance: proxy.url});
    const images = await Promise.all([1, 2].map(() => glance.uploadImage({bytes: Buffer.alloc(6 * mib, 'y')})));
    await using agent = await place.startAgent();
    const create = (name: string, image: string | undefined, requestId: string) =>
      put(place.socket, `/v1/disks/${place.vms}/${name}`, {image}, requestId);
    const answers = await Promise.all(ids.map((id, index) => create(`d${index}`, images[index]?.id, id)));
    t.deepEqual(
      answers.map(({status, requestId}) => [status, requestId]),
      ids.map(id => [200, id]),
    );
    await Promise.all(
      [0, 1].map(index => agent.waitForLog(line => line['name'] === `d${index}` || has(line, `d${index}`))),
    );
    for (const [index, id] of ids.entries()) {
      const lines = about(agent.log, images[index]?.id ?? '');
      t.true(['fill-started', 'fill-published', 'disk-ready'].every(event => eventsOf(lines).includes(event)));
      t.deepEqual([...new Set(lines.map(({requestId}) => requestId))], [id]);
      t.deepEqual([...new Set(askedUnder(proxy, images[index]?.id ?? ''))], [id]);
    }
    const other = await create('d3', images[0]?.id, 'whatever\u00e4');
    t.regex(other.requestId, /^req-[0-9a-f]{8}-/);
    await agent.waitForLog(line => line['requestId'] === other.requestId && line['event'] === 'disk-ready');
    const plain = agent.log.filter(
      ({msg}) => /is ready$|recovery is done/.test(String(msg)) && !/disk/.test(String(msg)),
    );
    t.true(plain.length >= 2);
    t.true(
      plain.every(line => !('requestId' in line)),
      "the agent's own work is of no request",
    );
  },
);

const has = (line: Line, name: string) => String(line['path']).endsWith(`/${name}`);

function put(socketPath: string, path: string, body: object, requestId: string) {
  const {promise, resolve, reject} = Promise.withResolvers<{status: number | undefined; requestId: string}>();
  const headers = {'Content-Type': 'application/json', 'X-OpenStack-Request-ID': requestId};
  const outgoing = request({socketPath, path, method: 'PUT', headers}, async answer => {
    await text(answer);
    resolve({status: answer.statusCode, requestId: String(answer.headers['x-openstack-request-id'])});
  });
  outgoing.on('error', reject);
  outgoing.end(JSON.stringify(body));
  return promise;
}
