/** What is told of the agent's partners, and how it is kept true. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import type {Cell} from '../../src/core/ports.ts';
import {Health, watchCell} from '../../src/daemon/health.ts';
import {askCeph, keepAsking, type Pace} from '../../src/daemon/inquiry.ts';
import {GlanceClient} from '../../src/glance/client.ts';
import {fails} from '../helpers/fails.ts';
import {type Handler, sendJson, startServer} from '../helpers/with-server.ts';
import {until} from '../observability/prometheus.ts';

const never = new AbortController().signal;
const id = '11111111-2222-4333-8444-555555555555';
const away = new CellarError('unavailable', 'no answer');
const day = 86_400_000;
const quick: Pace = {again: 10, deadline: 300, quiet: {ceph: day, glance: day, keystone: day}};
const identity = {token: async () => 't', invalidate: () => {}, endpoint: async () => ''};

/** A Glance with a switch, a client whose calls are remembered, and the questions of an agent. */
async function glance() {
  const state: {answer: Handler} = {answer: (_, response) => sendJson(response, 200, {images: [], versions: []})};
  const server = await startServer((request, response) => state.answer(request, response));
  const health = new Health();
  const client = new GlanceClient({endpoint_override: server.url, retries: 0}, identity);
  const questions = {
    glance: (signal: AbortSignal) => client.answers(signal, {list: health.of('glance').state === 'down'}),
  };
  return {
    state,
    server,
    health,
    client: health.watch('glance', client),
    questions,
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

const broken: Handler = (_, response) => sendJson(response, 503, {});
const isUp = (health: Health) => async () => health.of('glance').state === 'up';

test('a partner that is down is asked again until it is up, and then no more', async t => {
  await using its = await glance();
  const healthy = its.state.answer;
  its.state.answer = broken;
  await fails(t, its.client.get(id, {token: 't'}, never), 'unavailable', /503/);
  t.like(its.health.of('glance'), {state: 'down'});
  t.regex(its.health.of('glance').why ?? '', /503/);
  const stopping = new AbortController();
  const asking = keepAsking(its.health, its.questions, stopping.signal, quick);

  const before = its.server.seen.length;
  await until(20_000, async () => its.server.seen.length > before + 2);
  t.is(its.health.of('glance').state, 'down');
  // its versions are told by a Glance whose database is away too
  its.state.answer = (request, response) => (request.path === '/versions' ? healthy : broken)(request, response);
  const then = its.server.seen.length;
  await until(20_000, async () => its.server.seen.length > then + 2);
  t.is(its.health.of('glance').state, 'down');
  t.false(its.server.lines().includes('GET /versions'));

  its.state.answer = healthy;
  await until(20_000, isUp(its.health));
  const {length} = its.server.seen;
  await sleep(100); // ten times as long as it took to ask again
  t.is(its.server.seen.length, length);
  stopping.abort();
  await asking;
});

test('one that was never asked is asked, without credentials; what hangs is down when the deadline is over', async t => {
  await using its = await glance();
  t.deepEqual(its.health.of('glance'), {state: 'unknown'});
  t.is(its.health.age('glance'), Number.POSITIVE_INFINITY);
  const stopping = new AbortController();
  const pace = {...quick, quiet: {...quick.quiet, glance: 0}};
  const asking = keepAsking(its.health, its.questions, stopping.signal, pace);
  await until(20_000, isUp(its.health));
  t.like(its.server.seen[0], {path: '/versions'});
  t.is(its.server.seen[0]?.headers['x-auth-token'], undefined);
  t.true(Math.abs(Date.parse(its.health.of('glance').asked ?? '') - Date.now()) < 60_000);
  t.is(its.health.of('keystone').state, 'unknown', 'the agent has none');

  its.state.answer = () => {};
  await until(20_000, async () => its.health.of('glance').state === 'down');
  stopping.abort();
  await asking;
  await sleep(100); // a question that was under way is still seen
  const {length} = its.server.seen;
  await sleep(100);
  t.is(its.server.seen.length, length, 'nothing is asked after the end');
});

test('an agent that stops in mid-question says nothing of the partner', async t => {
  const health = new Health();
  const asked = Promise.withResolvers<void>();
  const stopping = new AbortController();
  const ceph = (signal: AbortSignal) => {
    asked.resolve();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(away)));
  };
  const asking = keepAsking(health, {ceph}, stopping.signal, {...quick, deadline: 60_000});
  await asked.promise;
  stopping.abort();
  await asking;
  t.is(health.of('ceph').state, 'unknown');
});

test('a question that nothing ends keeps nobody waiting, is asked once, and is told as long as it lasts', async t => {
  const health = new Health();
  const stopping = new AbortController();
  let open = Promise.withResolvers<void>();
  let cephs = 0;
  let glances = 0;
  const questions = {
    ceph: () => {
      cephs += 1;
      return open.promise;
    },
    glance: async () => {
      glances += 1;
    },
  };
  const pace = {...quick, deadline: 50, quiet: {...quick.quiet, glance: 0}};
  const asking = keepAsking(health, questions, stopping.signal, pace);
  await until(20_000, async () => health.of('ceph').state === 'down');
  const {asked, why} = health.of('ceph');
  t.is(why, 'no answer within 0.05 s');
  const before = glances;
  await until(20_000, async () => health.of('ceph').asked !== asked && glances > before + 2);
  t.deepEqual([health.of('ceph').state, cephs], ['down', 1]);

  open.resolve();
  await until(20_000, async () => health.of('ceph').state === 'up');
  open = Promise.withResolvers();
  health.note('ceph', away);
  const then = cephs;
  await until(20_000, async () => cephs > then);
  stopping.abort();
  await asking; // though nobody has answered
});

test('an answer that says no is an answer; its age is that of the last one', t => {
  let now = 1_000_000;
  const health = new Health(() => now);
  health.note('ceph', away);
  t.deepEqual(health.of('ceph'), {state: 'down', asked: '1970-01-01T00:16:40.000Z', why: 'no answer'});
  now += 5000;
  for (const kind of ['cancelled', 'internal'] as const) health.note('ceph', new CellarError(kind, 'x'));
  t.is(health.age('ceph'), 5000);
  health.note('ceph', new CellarError('not-found', 'x'));
  t.deepEqual(health.of('ceph'), {state: 'up', asked: '1970-01-01T00:16:45.000Z'});
});

test('whichever port of the cell is asked, it is remembered', async t => {
  const ports = ['disks', 'trash', 'copies', 'index', 'usage', 'leases', 'intents'] as const;
  const port = {pool: 'cellar', ask: () => Promise.reject(away)};
  for (const one of ports) {
    const health = new Health();
    const cell = watchCell(Object.fromEntries(ports.map(name => [name, port])) as unknown as Cell, health);
    t.is((cell[one] as unknown as typeof port).pool, 'cellar');
    await t.throwsAsync((cell[one] as unknown as typeof port).ask());
    t.is(health.of('ceph').state, 'down', one);
  }
});

test('Ceph is asked over both of its connections', async t => {
  const answers = {index: true, leases: true};
  const say = (port: keyof typeof answers) => () => (answers[port] ? Promise.resolve(undefined) : Promise.reject(away));
  const ask = askCeph({index: {get: say('index')}, leases: {holder: say('leases')}} as unknown as Cell);
  await t.notThrowsAsync(ask(never));
  for (const port of ['index', 'leases'] as const) {
    answers[port] = false;
    await fails(t, ask(never), 'unavailable', /no answer/);
    answers[port] = true;
  }
});
