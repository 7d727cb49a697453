/** Where Glance is when nova.conf says that it is us, which sockets are ours, and what is remembered of uploads. */
import {join} from 'node:path';
import test from 'ava';
import {loadConfig} from '../../src/config/load.ts';
import {CellarError} from '../../src/core/errors.ts';
import {isLoopback, isOwn} from '../../src/daemon/own-address.ts';
import {readSettings} from '../../src/daemon/settings.ts';
import {takeSockets} from '../../src/daemon/sockets.ts';
import {Uploads} from '../../src/facade/uploads.ts';
import {withFiles} from '../config/with-files.ts';

const login = '[service_user]\nauth_type = password\nauth_url = http://keystone\n';
const facade = '[facade]\nlisten = 127.0.0.1:9292\n';

function settingsOf(text: string) {
  return withFiles({'a.conf': text}, dir =>
    readSettings(loadConfig([{file: join(dir, 'a.conf')}], {env: {}, home: '/nowhere', root: '/nowhere'})),
  );
}

const address = (text: string) => {
  const {api_servers, endpoint_override} = settingsOf(text).glance;
  return api_servers ?? endpoint_override;
};

test('the facade is off unless it is told where to listen', t => {
  t.is(settingsOf('').facade, undefined);
  t.deepEqual(settingsOf(`${facade}${login}`).facade, {
    listen: {host: '127.0.0.1', port: 9292},
    hold: 1_800_000,
    maxConnections: 256,
  });
  t.is(address('[glance]\nendpoint_override = http://127.0.0.1:9292\n'), 'http://127.0.0.1:9292');
  for (const wrong of ['localhost:9292', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:70000', '::1:9292', '[::1%lo]:1'])
    t.throws(() => settingsOf(`[facade]\nlisten = ${wrong}\n${login}`), {instanceOf: CellarError}, wrong);
});

test('times that no timer can wait are as long as one can: it would fire at once', t => {
  const {
    limits,
    converter,
    facade: ours,
  } = settingsOf(`${facade}hold_timeout = 4000000\n${login}[image_store]\nfill_timeout = 0\n`);
  for (const ms of [limits.fillTimeout, converter.limits.timeout, ours?.hold ?? 0])
    t.true(ms >= 10 * 24 * 3600 * 1000 && ms < 2 ** 31, `${ms}`);
});

test('an answer is out before a Nova with a timeout of its own hangs up, and why is told', t => {
  const nova = (glance: string) => settingsOf(`${facade}${login}[glance]\n${glance}`).facade;
  const ours = 'endpoint_override = http://127.0.0.1:9292\n';
  t.is(nova(`${ours}timeout = 60\n`)?.hold, 55_000);
  t.regex(nova(`${ours}timeout = 60\n`)?.holdCut ?? '', /timeout = 60: answers are held for 55 s/);
  t.is(nova(`${ours}timeout = 4\n`)?.hold, 2000);
  t.is(nova('api_servers = http://127.0.0.1:9292, http://glance:9292\ntimeout = 60\n')?.hold, 55_000);
  for (const glance of [ours, `${ours}timeout = 2000\n`, 'endpoint_override = http://glance:9292\ntimeout = 60\n'])
    t.like(nova(glance), {hold: 1_800_000, holdCut: undefined}, glance);
});

test('a Nova whose disks are not in RBD is offered nothing: it would download, and refuse what it was told is raw', t => {
  const nova = `${facade}${login}[glance]\nendpoint_override = http://127.0.0.1:9292\n`;
  t.regex(settingsOf(nova).facade?.offersNothing ?? '', /images_type is default/);
  t.regex(settingsOf(`${nova}[libvirt]\nimages_type = qcow2\n`).facade?.offersNothing ?? '', /images_type is qcow2/);
  t.is(settingsOf(`${nova}[libvirt]\nimages_type = rbd\n`).facade?.offersNothing, undefined);
});

test("Glance is where Nova's options say, unless they say that it is us", t => {
  const override = (url: string) => `[glance]\nendpoint_override = ${url}\n`;
  t.deepEqual(address(facade + override('http://glance:9292/image')), ['http://glance:9292/image']);
  t.deepEqual(address(`${facade}[glance]\napi_servers = http://localhost:9292, https://a, 127.0.0.1:9292\n`), [
    'https://a',
  ]);
  t.is(address(`${facade}${login}${override('http://localhost:9292/')}`), undefined, 'the catalogue says it');
  const named = '[facade]\nlisten = [::1]:9292\nupstream = https://a/image, http://b:9292\n';
  t.deepEqual(address(named + override('http://[::1]:9292')), ['https://a/image', 'http://b:9292']);
});

for (const [what, text] of [
  ['only ourselves', `${facade}[glance]\nendpoint_override = http://127.0.0.1:9292\n`],
  ['nothing at all', facade],
  ['an upstream that is us', `[facade]\nlisten = 127.0.0.1:9292\nupstream = http://localhost:9292\n${login}`],
] as const) {
  test(`${what}: that is a mistake in the configuration, and what to do is told`, t => {
    const error = t.throws(() => settingsOf(text), {instanceOf: CellarError});
    t.is(error?.kind, 'config');
    t.regex(error?.hint ?? '', /upstream/);
  });
}

test('our own address, however it is written', t => {
  const own = (url: string, host = '127.0.0.1', ours: string[] = []) => isOwn(url, {host, port: 9292}, ours);
  for (const url of [
    'http://127.0.0.1:9292',
    'http://localhost:9292/v2',
    'https://[::1]:9292',
    'http://127.1:9292',
    'localhost:9292',
    'http://[::ffff:127.0.0.1]:9292',
  ])
    t.true(own(url), url);
  for (const url of [
    'http://127.0.0.1:9293',
    'http://10.0.0.1:9292',
    'http://glance:9292',
    'http://localhost',
    'not a url',
  ])
    t.false(own(url), url);
  t.true(own('http://10.0.0.1:9292', '0.0.0.0', ['10.0.0.1']));
  t.false(own('http://10.0.0.2:9292', '0.0.0.0', ['10.0.0.1']));
  t.true(own('http://10.0.0.1:9292', '10.0.0.1'));
  t.false(own('http://localhost:9292', '10.0.0.1'));
  t.true(own('http://localhost:9292', '::'));
  t.true(isOwn('http://localhost', {host: '127.0.0.1', port: 80}));
  t.true(isOwn('https://localhost', {host: '127.0.0.1', port: 443}));
  t.deepEqual(['127.0.0.1', '::1', '10.0.0.1', '0.0.0.0', '::'].map(isLoopback), [true, true, false, false, false]);
});

test('sockets are taken by their names, once, and only when they are meant for this process', t => {
  const env = {LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'facade:cellar', OTHER: 'x'};
  t.deepEqual(takeSockets({...env, LISTEN_PID: '8'}, 7), {});
  t.deepEqual(takeSockets({}, 7), {});
  t.deepEqual(takeSockets(env, 7), {facade: 3, cellar: 4});
  t.deepEqual(env as object, {OTHER: 'x'});
  for (const [names, hint] of [
    ['cellar:cellar', /ListenStream/],
    ['cellar', /FileDescriptorName/],
    ['cellar:cellar-agent.socket', /FileDescriptorName/],
  ] as const) {
    const error = t.throws(() => takeSockets({LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: names}, 7), {
      instanceOf: CellarError,
    });
    t.is(error?.kind, 'config');
    t.regex(error?.hint ?? '', hint);
  }
});

test('an upload is remembered for a minute after it was noted last, and only so many', t => {
  let now = 0;
  const uploads = new Uploads(() => now);
  uploads.note('A');
  now = 50_000;
  uploads.note('a');
  now = 109_999;
  t.true(uploads.has('A'));
  now = 110_000;
  t.false(uploads.has('A'));
  for (let index = 0; index <= 1000; index++) uploads.note(`image ${index}`);
  t.false(uploads.has('image 0'));
  t.true(uploads.has('image 1') && uploads.has('image 1000'));
});
