/** What the agent tells, in a real Prometheus: the dashboard's queries, the alerts, and the metrics' documents. */
import {readFileSync} from 'node:fs';
import {connect} from 'node:net';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {agentMetrics} from '../../src/metrics/agent.ts';
import {processMetrics} from '../../src/metrics/process.ts';
import {deadUrl} from '../helpers/with-server.ts';
import {makePlace, type Place} from '../integration/place.ts';
import {run} from '../lab/run.ts';
import {lab, openstack, privateCeph} from '../lab/shared.ts';
import {dashboardQueries, unanswered} from './dashboard.ts';
import {startPrometheus, until} from './prometheus.ts';

const mib = 1024 * 1024;
const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const rules = file('packaging/prometheus/cellar.rules.yml');

const address = async () => (await deadUrl()).slice('http://'.length);

const queries = dashboardQueries('2m');

test.serial(
  'every query of the dashboard has an answer, every rule can be evaluated, and every metric is there',
  async t => {
    const [metrics, facade, web] = [await address(), await address(), await address()];
    // how full a pool is, a cluster knows of its manager only
    await using cell = await privateCeph({mgr: true, objectstore: 'memstore', pools: ['images']});
    await using place = await makePlace({
      cell,
      glance: `http://${facade}`,
      conf: `metrics_listen = ${metrics}
[facade]
listen = ${facade}
[cell]
name = cell-x
[image_store]
janitor_interval = 10
max_size = 1
`,
    });
    await using agent = await place.startAgent();
    await using prometheus = await startPrometheus(metrics, web, rules);
    await until(60_000, async () => (await prometheus.query('cellar_build_info')).length > 0);

    const image = await work(place, facade);
    const all = async () => (await unanswered(prometheus, queries)).length === 0;
    await until(60_000, all).catch(async () => t.deepEqual(await unanswered(prometheus, queries), []));
    const numbers: [string, number][] = [
      ['cellar_disk_duration_seconds_count{road="filled"}', 1],
      ['cellar_disk_duration_seconds_count{road="cached"}', 1],
      ['cellar_disk_failures_total{kind="not-found"}', 1],
      ['cellar_fill_received_bytes_total', image.size],
      ['cellar_fill_hole_bytes_total + cellar_fill_written_bytes_total', image.size],
      ['cellar_facade_shows_total{result="offered"}', 1],
      ['cellar_cache_copies{state="cached", cell="cell-x"}', 1],
      ['cellar_cache_limit_bytes{limit="max_size"}', 1024 * mib],
      ['min(cellar_partner_up) and on () count(cellar_partner_up) == 3', 1],
      ['sum(time() - cellar_partner_asked_timestamp_seconds < bool 300)', 3],
      ['time() - cellar_janitor_timestamp_seconds < bool 60', 1],
      ['cellar_janitor_interval_seconds', 10],
      ['cellar_registration_state{state="off"}', 1],
    ];
    for (const [query, wanted] of numbers) {
      const values = async () => (await prometheus.query(query)).map(({value}) => Number(value[1]));
      const holds = async () => (await values()).some(one => one === wanted);
      await until(30_000, holds).catch(async () => t.fail(`${query}: ${await values()}, not ${wanted}`));
    }

    await until(30_000, async () => (await prometheus.rules()).every(({health}) => health !== 'unknown'));
    const evaluated = await prometheus.rules();
    t.is(evaluated.length, 17);
    t.deepEqual(
      evaluated.filter(({health, lastError}) => health !== 'ok' || lastError),
      [],
    );

    const exposed = (await scrape(place.socket)).split('\n').filter(line => line !== '' && !line.startsWith('#'));
    const names = new Set(exposed.map(line => line.replace(/[{ ].*/, '').replace(/_(bucket|sum|count)$/, '')));
    const table = [...Object.keys(processMetrics), ...Object.keys(agentMetrics)];
    t.deepEqual(
      table.filter(name => !names.has(name)),
      [],
    );
    t.deepEqual(
      [...names].filter(name => !table.includes(name)),
      [],
    );
    for (const said of [image.id, lab().password, place.cache, openstack().glanceUrl])
      t.false(exposed.join('\n').includes(said), said);
    t.is(await agent.stop(), 0);
  },
);

/** A fill, a clone, a failure, and Nova's question. */
async function work(place: Place, facade: string): Promise<{id: string; size: number}> {
  const glance = openstack();
  const image = await glance.uploadImage({bytes: Buffer.concat([Buffer.alloc(9 * mib, 'x'), Buffer.alloc(8 * mib)])});
  for (const name of ['a', 'b']) await place.cellar('disk', 'create', `${place.vms}/${name}`, '--image', image.id);
  await place.cellar('disk', 'create', `${place.vms}/c`, '--image', '00000000-0000-4000-8000-000000000000');
  const headers = {'X-Auth-Token': await glance.token(glance.admin)};
  await fetch(`http://${facade}/v2/images/${image.id}`, {headers}).then(shown => shown.text());
  return image;
}

async function scrape(socket: string): Promise<string> {
  const connection = connect(socket);
  connection.end('GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  return (await text(connection)).replace(/^.*?\r\n\r\n/s, '');
}

test('the rules are correct, and each alert fires when it should', async t => {
  await run('promtool', ['check', 'rules', rules]);
  t.regex(await run('promtool', ['test', 'rules', file('packaging/prometheus/cellar.rules.test.yml')]), /SUCCESS/);
  const alerts = [...readFileSync(rules, 'utf8').matchAll(/alert: (\w+)/g)].map(([, name]) => name);
  const tested = readFileSync(file('packaging/prometheus/cellar.rules.test.yml'), 'utf8');
  t.deepEqual(
    alerts.filter(name => !tested.includes(`alertname: ${name}\n`)),
    [],
  );
});

test('each alert leads to a section of operations.md', t => {
  const operations = readFileSync(file('docs/operations.md'), 'utf8');
  const headings = [...operations.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title.toLowerCase());
  const written = readFileSync(rules, 'utf8');
  const alerts = [...written.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name);
  t.is(alerts.length, 17);
  for (const name of alerts) {
    t.true(written.includes(`runbook: docs/operations.md#${name.toLowerCase()}`), name);
    t.true(headings.includes(name.toLowerCase()), name);
  }
});

test('the dashboard and the rules ask only for metrics that there are', t => {
  const known = new Set([...Object.keys(processMetrics), ...Object.keys(agentMetrics)]);
  const asked = [...queries, readFileSync(rules, 'utf8')].flatMap(one => one.match(/\bcellar_[a-z_]+/g) ?? []);
  t.true(asked.length > 50);
  const base = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
  t.deepEqual(
    asked.filter(name => !known.has(name) && !known.has(base(name))),
    [],
  );
});
