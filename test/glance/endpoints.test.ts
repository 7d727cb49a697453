import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {type EndpointOptions, Endpoints} from '../../src/glance/endpoints.ts';

const never = new AbortController().signal;
const list = (options: EndpointOptions) => new Endpoints(options, undefined).list(never);

test('the version and slashes at the end of an address are dropped', async t => {
  for (const end of ['', '/', '/v2', '/v2/', '//', '/v2.17']) {
    t.deepEqual(await list({endpoint_override: `http://glance:9292${end}`}), ['http://glance:9292'], end);
  }
  t.deepEqual(await list({endpoint_override: 'https://cloud/image/v2/'}), ['https://cloud/image']);
  t.deepEqual(await list({endpoint_override: 'https://cloud/v2/image'}), ['https://cloud/v2/image']);
});

test('api_servers win over endpoint_override, and need no scheme', async t => {
  const servers = await list({
    api_servers: ['g1:9292', 'https://g2', 'http://g1:9292/'],
    endpoint_override: 'http://other',
  });
  t.deepEqual(servers.toSorted(), ['http://g1:9292', 'https://g2']);
});

test('each client begins with a server of its own choice', async t => {
  const keys = [0.3, 0.1, 0.2];
  const endpoints = new Endpoints({api_servers: ['a', 'b', 'c']}, undefined, () => keys.shift() ?? 0);
  t.deepEqual(await endpoints.list(never), ['http://b', 'http://c', 'http://a']);
});

test('the one that failed goes last', async t => {
  const endpoints = new Endpoints({api_servers: ['a', 'b', 'c']}, undefined, () => 0);
  endpoints.avoid('http://a');
  t.deepEqual(await endpoints.list(never), ['http://b', 'http://c', 'http://a']);
  endpoints.avoid('http://stranger');
  t.deepEqual(await endpoints.list(never), ['http://b', 'http://c', 'http://a']);
});

test('an address that is none, or holds a password, is a config error that does not show it', async t => {
  for (const endpoint_override of ['ftp://glance', 'http://', 'http://user:s3cr3t@glance']) {
    const error = t.throws(() => new Endpoints({endpoint_override}, undefined), {instanceOf: CellarError});
    t.is(error.kind, 'config');
    t.notRegex(error.message, /s3cr3t/);
  }
});

test('without an address and without credentials there is nowhere to go', async t => {
  const error = await t.throwsAsync(list({}), {instanceOf: CellarError, message: 'nothing says where Glance is'});
  t.is(error.kind, 'config');
});
