import test from 'ava';
import {host, startRegistrar, tokens} from './setup.ts';

/** The value of a series, as it goes over the wire. */
const valueIn = (text: string, series: string) =>
  text
    .split('\n')
    .find(line => line.startsWith(`${series} `))
    ?.slice(series.length + 1);

test('requests are counted by path and answer, changes by kind; no name of a host, a cell or a caller is a label', async t => {
  await using registrar = await startRegistrar();
  t.is((await registrar.ask()).status, 200);
  t.is((await registrar.ask()).status, 200, 'again, which changes nothing');
  t.is((await registrar.ask({token: tokens.member})).status, 403);
  t.is((await registrar.ask({path: '/v1/hosts/compute-1', method: 'GET'})).status, 200);
  t.is((await registrar.ask({path: '/v1/secrets/compute-1', method: 'GET'})).status, 404);
  t.is((await registrar.ask({path: '/healthz', method: 'GET'})).status, 200);
  t.is((await registrar.ask({body: {...host, cell: 'cell2'}})).status, 409);
  const {text} = await registrar.meters.expose();
  const requests = (path: string, status: string) =>
    valueIn(text, `cellar_registrar_requests_total{path="${path}",status="${status}"}`);
  t.is(requests('/v1/hosts', '2xx'), '2');
  t.is(requests('/v1/hosts', '4xx'), '2');
  t.is(requests('/v1/hosts/{host}', '2xx'), '1');
  t.is(requests('other', '4xx'), '1');
  t.is(requests('/healthz', '2xx'), '1');
  t.is(requests('/v1/cell', '2xx'), '0', 'a series begins at 0');
  t.is(valueIn(text, 'cellar_registrar_request_duration_seconds_count{path="/v1/hosts"}'), '4');
  t.is(valueIn(text, 'cellar_registrar_changes_total{change="host-mapped"}'), '1');
  t.is(valueIn(text, 'cellar_registrar_changes_total{change="service-disabled"}'), '0');
  for (const kind of ['forbidden', 'not-found', 'conflict'])
    t.is(valueIn(text, `cellar_registrar_errors_total{kind="${kind}"}`), '1', kind);
  t.notRegex(text, /compute-1|cell1|cell2|s3cr3t|nova|in project/);
});

test('callers that ask too often are counted', async t => {
  await using registrar = await startRegistrar({rateLimit: 1});
  t.is((await registrar.ask()).status, 200);
  t.is((await registrar.ask()).status, 429);
  t.is((await registrar.ask()).status, 429);
  const {text} = await registrar.meters.expose();
  t.is(valueIn(text, 'cellar_registrar_rate_limited_total'), '2');
  t.is(valueIn(text, 'cellar_registrar_errors_total{kind="unavailable"}'), '2');
});
