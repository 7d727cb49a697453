import {once} from 'node:events';
import {request} from 'node:http';
import {type AddressInfo, createServer} from 'node:net';
import {text} from 'node:stream/consumers';
import test from 'ava';
import type {CellarError} from '../../src/core/errors.ts';
import {createMetricsServer} from '../../src/metrics/listen.ts';
import {exposeAll, Meters} from '../../src/metrics/meters.ts';
import {counter, gauge, histogram} from '../../src/metrics/metric.ts';
import {waitFor} from '../lab/run.ts';

const table = {
  a_total: counter('Counts.', {kind: ['x', 'y']}),
  b_state: gauge('Is.', {state: ['on', 'off']}),
  c_seconds: histogram('Takes.', {road: ['one']}, [1, 2]),
};

const lines = async (meters: {expose(): Promise<{text: string}>}) =>
  (await meters.expose()).text.split('\n').filter(line => line !== '' && !line.startsWith('#'));

test('counters and histograms are there from the start; a gauge once it is set, until it is taken away', async t => {
  const meters = new Meters(table);
  t.deepEqual(await lines(meters), [
    'a_total{kind="x"} 0',
    'a_total{kind="y"} 0',
    'c_seconds_bucket{le="1",road="one"} 0',
    'c_seconds_bucket{le="2",road="one"} 0',
    'c_seconds_bucket{le="+Inf",road="one"} 0',
    'c_seconds_sum{road="one"} 0',
    'c_seconds_count{road="one"} 0',
  ]);
  meters.choose('b_state', 'state', 'on');
  meters.count('a_total', {kind: 'y'}, 3);
  meters.observe('c_seconds', {road: 'one'}, 1.5);
  const then = await lines(meters);
  t.true(['a_total{kind="y"} 3', 'b_state{state="on"} 1', 'b_state{state="off"} 0'].every(one => then.includes(one)));
  t.true(
    ['c_seconds_bucket{le="1",road="one"} 0', 'c_seconds_bucket{le="2",road="one"} 1'].every(one => then.includes(one)),
  );
  meters.set('b_state', {state: 'off'}, undefined);
  t.is(meters.valueOf('b_state', {state: 'on'}), 1);
  t.is(meters.valueOf('b_state', {state: 'off'}), undefined);
  t.false((await lines(meters)).some(line => line.startsWith('b_state{state="off"}')));
  meters.clear('b_state');
  t.false((await lines(meters)).some(line => line.startsWith('b_state')));
});

test('every series has the constant labels, and what is looked at is looked at with each scrape', async t => {
  const meters = new Meters({d: gauge('Is.')}, {cell: 'one'});
  let value = 1;
  meters.onScrape(() => meters.set('d', {}, value));
  t.deepEqual(await lines(meters), ['d{cell="one"} 1']);
  value = 2;
  t.deepEqual(await lines({expose: () => exposeAll([meters, new Meters(table)])}).then(all => all.slice(0, 2)), [
    'd{cell="one"} 2',
    'a_total{kind="x"} 0',
  ]);
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const {port} = probe.address() as AddressInfo;
  await new Promise(resolve => probe.close(resolve));
  return port;
}

test('over TCP there are metrics to read and nothing else', async t => {
  const port = await freePort();
  const server = createMetricsServer(async () => ({type: 'text/plain; version=0.0.4', text: 'a 1\n'}));
  const told: (string | CellarError)[] = [];
  const tell = {listening: () => void told.push('listening'), failed: (error: CellarError) => void told.push(error)};
  await server.listen({host: '127.0.0.1', port}, tell);
  t.deepEqual(told, ['listening']);
  const ask = async (method: string, path: string) => {
    const outgoing = request({port, host: '127.0.0.1', method, path}).end();
    const [answer] = await once(outgoing, 'response');
    return {status: answer.statusCode, type: answer.headers['content-type'], text: await text(answer)};
  };
  t.deepEqual(await ask('GET', '/metrics'), {status: 200, type: 'text/plain; version=0.0.4', text: 'a 1\n'});
  t.like(await ask('HEAD', '/metrics'), {status: 200, text: ''});
  t.like(await ask('POST', '/metrics'), {status: 405, text: ''});
  for (const path of ['/', '/v1/status', '/metrics/', '/v1/disks/vms/a']) t.like(await ask('GET', path), {status: 404});
  const second = createMetricsServer(async () => ({type: '', text: ''}));
  await second.listen({host: '127.0.0.1', port}, tell);
  t.like(told[1], {kind: 'conflict', object: `127.0.0.1:${port}`});
  t.regex(String(told[1]), new RegExp(`metrics cannot be served on 127.0.0.1:${port}`));
  await server.close();
  await waitFor('the second to try again', async () => void (await ask('GET', '/metrics')));
  await second.close();
  await t.throwsAsync(ask('GET', '/metrics'));
  t.deepEqual(told.slice(2), ['listening']);
});
