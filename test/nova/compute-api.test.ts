import test from 'ava';
import {ComputeApi} from '../../src/nova/compute-api.ts';
import {fails} from '../helpers/fails.ts';
import {sendJson, startServer, type TestServer} from '../helpers/with-server.ts';

const signal = () => AbortSignal.timeout(10_000);
const uuid = (n: number) => `aaaaaaaa-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** A login whose endpoints are this server's /compute and /placement. */
function clientOf(t: {teardown(fn: () => void): void}, {url}: TestServer, tokens = ['s3cr3t-1', 's3cr3t-2']) {
  let used = 0;
  const identity = {
    token: async () => tokens[used] ?? '',
    invalidate: () => {
      used += 1;
    },
    endpoint: async ({service_type}: {service_type: string}) => `${url}/${service_type}/`,
  };
  const api = new ComputeApi(identity, {retries: 1, retry_delay: 0.01});
  t.teardown(() => api.close());
  return api;
}

test('what Nova and Placement list of a host is read; who is asked for what is seen', async t => {
  const hypervisor = (n: number, host: string) => ({id: uuid(n), hypervisor_hostname: `n${n}`, service: {host}});
  const answers: Record<string, unknown> = {
    '/compute/os-services?host=c%2F1': {
      services: [
        {
          id: 's1',
          binary: 'nova-compute',
          state: 'up',
          status: 'disabled',
          disabled_reason: 'x',
          host: 'c/1',
          zone: 'nova',
        },
        {id: 's2', binary: 'nova-cellar-agent', state: 'down', status: 'enabled'},
      ],
    },
    '/compute/servers/detail?all_tenants=1&host=c%2F1&limit=20': {servers: [{id: 'a', status: 'ACTIVE', name: 'x'}]},
    '/compute/servers/detail?all_tenants=1&host=c%2F1&deleted=True&status=SOFT_DELETED': {
      servers: [
        {id: 'b', status: 'SOFT_DELETED', name: 'y', 'OS-SRV-USG:terminated_at': null},
        // Deleted while the host was down: a row that waits to be archived.
        {id: 'z', status: 'SOFT_DELETED', name: 'z', 'OS-SRV-USG:terminated_at': '2026-11-22T00:00:00.000000'},
      ],
    },
    '/compute/os-migrations?host=c%2F1': {
      migrations: ['running', 'finished', 'confirmed', 'error', 'done', 'pre-migrating'].map((status, id) => ({
        id,
        status,
      })),
    },
    '/compute/os-aggregates': {
      aggregates: [
        {id: 1, name: 'a', hosts: ['c/1', 'c2']},
        {id: 2, name: 'b', hosts: ['c2']},
      ],
    },
    '/compute/os-hypervisors/detail?limit=500': {
      // Nova leaves out of a page what it cannot show: it may be short, and not the last.
      hypervisors: Array.from({length: 499}, (_, n) => hypervisor(n, n === 7 ? 'c/1' : 'c2')),
    },
    [`/compute/os-hypervisors/detail?limit=500&marker=${uuid(498)}`]: {hypervisors: [hypervisor(500, 'c/1')]},
    [`/compute/os-hypervisors/detail?limit=500&marker=${uuid(500)}`]: {hypervisors: []},
    [`/placement/resource_providers?uuid=${uuid(7)}`]: {resource_providers: []},
    '/placement/resource_providers?name=n7': {resource_providers: [{uuid: uuid(8), name: 'n7'}]},
    [`/placement/resource_providers/${uuid(8)}/allocations`]: {allocations: {[uuid(9)]: {}}},
  };
  await using server = await startServer(({path}, response) =>
    path in answers ? sendJson(response, 200, answers[path]) : sendJson(response, 404, {}),
  );
  const api = clientOf(t, server);
  t.deepEqual(await api.services('c/1', signal()), [
    {id: 's1', binary: 'nova-compute', state: 'up', status: 'disabled', reason: 'x'},
    {id: 's2', binary: 'nova-cellar-agent', state: 'down', status: 'enabled', reason: null},
  ]);
  t.deepEqual(await api.servers('c/1', signal()), [
    {id: 'a', status: 'ACTIVE'},
    {id: 'b', status: 'SOFT_DELETED'},
  ]);
  t.deepEqual(
    (await api.migrations('c/1', signal())).map(({status}) => status),
    ['running', 'finished', 'pre-migrating'],
  );
  t.deepEqual(await api.aggregates('c/1', signal()), [{id: 1, name: 'a'}]);
  const {own, others} = await api.nodes('c/1', signal());
  t.deepEqual(own, [
    {name: 'n7', uuid: uuid(7)},
    {name: 'n500', uuid: uuid(500)},
  ]);
  t.is(others.size, 498);
  const noted = [{name: 'n7', uuid: uuid(7)}];
  t.deepEqual(await api.providers(noted, new Set(), signal()), [{uuid: uuid(8), name: 'n7', allocations: 1}]);
  t.deepEqual(await api.providers(noted, new Set([uuid(8)]), signal()), [], "another host's node has its name by now");
  t.is(server.seen[0]?.headers['openstack-api-version'], 'compute 2.53');
  t.is(server.seen.at(-1)?.headers['openstack-api-version'], 'placement 1.14');
  t.true(server.seen.every(({headers}) => headers['x-auth-token'] === 's3cr3t-1'));
});

test('a page that does not move on ends the list; one after a node that is gone is no end', async t => {
  const one = {id: uuid(1), hypervisor_hostname: 'n1', service: {host: 'c1'}};
  const gone = [400, {badRequest: {message: `Marker ${uuid(1)} could not be found.`, code: 400}}] as const;
  const pages: (readonly [number, object])[] = [
    [200, {hypervisors: [one]}],
    [200, {hypervisors: [one]}],
    [200, {hypervisors: [one]}],
    gone,
    [200, {hypervisors: [{...one, id: uuid(2)}]}],
    [200, {hypervisors: []}],
    ...Array.from({length: 6}, (_, n) => (n % 2 === 0 ? ([200, {hypervisors: [one]}] as const) : gone)),
  ];
  await using server = await startServer((_request, response) => sendJson(response, ...(pages.shift() ?? [500, {}])));
  const api = clientOf(t, server);
  t.deepEqual(
    (await api.nodes('c1', signal())).own.map(({uuid: id}) => id),
    [uuid(1)],
    'once',
  );
  t.deepEqual(
    (await api.nodes('c1', signal())).own.map(({uuid: id}) => id),
    [uuid(2)],
    'read anew',
  );
  await fails(t, api.nodes('c1', signal()), 'unavailable', /the list of compute nodes changes/);
  t.is(pages.length, 0);
});

test('what is gone is gone; what is in use is a conflict in the words of Nova', async t => {
  await using server = await startServer(({path, method, body}, response) => {
    if (method === 'PUT') return sendJson(response, 200, {service: JSON.parse(body)});
    if (path.endsWith('/gone')) return sendJson(response, 404, {itemNotFound: {message: 'no', code: 404}});
    if (path.startsWith('/placement')) {
      return sendJson(response, 409, {
        errors: [{status: 409, title: 'Conflict', detail: 'Unable to delete it: in use.'}],
      });
    }
    sendJson(response, 409, {
      conflictingRequest: {message: 'Unable to delete compute service that is hosting instances.', code: 409},
    });
  });
  const api = clientOf(t, server);
  await api.deleteService('gone', signal());
  await api.deleteProvider('gone', signal());
  await api.disable('s1', 'why', signal());
  t.deepEqual(JSON.parse(server.seen.at(-1)?.body ?? ''), {status: 'disabled', disabled_reason: 'why'});
  await fails(
    t,
    api.deleteService('s1', signal()),
    'conflict',
    /409 Conflict \(Unable to delete compute service that is hosting/,
  );
  await fails(t, api.deleteProvider('p1', signal()), 'conflict', /409 Conflict \(Unable to delete it: in use\.\)$/);
});

test('a token that is refused is renewed once, a busy Nova asked again, and a wrong answer told', async t => {
  const answers: [number, unknown][] = [
    [401, {}],
    [503, {}],
    [200, {aggregates: []}],
    [200, {aggregates: 'none'}],
    [403, {forbidden: {message: "Policy doesn't allow it", code: 403}}],
    [401, {}],
  ];
  await using server = await startServer((_request, response) => {
    const [status, body] = answers.shift() ?? [500, {}];
    sendJson(response, status, body);
  });
  const api = clientOf(t, server);
  t.deepEqual(await api.aggregates('c1', signal()), []);
  t.deepEqual(
    server.seen.map(({headers}) => headers['x-auth-token']),
    ['s3cr3t-1', 's3cr3t-2', 's3cr3t-2'],
  );
  await fails(t, api.aggregates('c1', signal()), 'unavailable', /no list of aggregates/);
  const error = await fails(t, api.aggregates('c1', signal()), 'forbidden', /Policy doesn't allow it/);
  t.regex(error.hint ?? '', /admin/);
});
