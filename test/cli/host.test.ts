import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {version} from '../../src/config/version.ts';
import {status} from '../api/fake-agent.ts';
import {withServer} from '../api/with-server.ts';
import {sendToken} from '../helpers/fake-keystone.ts';
import {sendJson, startServer} from '../helpers/with-server.ts';
import {cellar} from './run-cli.ts';

const same = {version};
const {node, cell} = status.registration;

test('host register waits for the agent, and says where the host is', async t => {
  let asked = 0;
  const script = {
    status: async () => {
      asked += 1;
      return asked < 2 ? {...status, registration: {state: 'waiting' as const, why: 'RabbitMQ is down'}} : status;
    },
  };
  await withServer(
    script,
    async ({socket}) => {
      const run = await cellar(['host', 'register', '--socket', socket]);
      t.is(run.code, 0, run.stderr);
      t.is(run.stdout, 'compute-1: it is in cell cell1\n');
      t.is(asked, 2);
    },
    same,
  );
});

test('host register tells a refusal at once, a wait that ends, and that nobody registers', async t => {
  for (const [registration, code, message, args] of [
    [
      {state: 'refused', why: 'it is another cell', hint: 'correct [cell]'},
      1,
      'compute-1 is refused: it is another cell',
      [],
    ],
    [{state: 'off'}, 78, 'the agent of compute-1 does not register it', []],
    [
      {state: 'waiting', why: 'RabbitMQ is down'},
      75,
      'compute-1 is not registered yet: RabbitMQ is down',
      ['--timeout', '2'],
    ],
    [
      {state: 'registered', node, why: 'a staging cell'},
      75,
      'compute-1 is not registered yet: a staging cell',
      ['--timeout', '2'],
    ],
  ] as const) {
    await withServer(
      {status: async () => ({...status, registration: registration as typeof status.registration})},
      async ({socket}) => {
        const run = await cellar(['host', 'register', '--socket', socket, ...args]);
        t.is(run.code, code, run.stderr);
        t.is(run.stderr.split('\n')[0], `cellar: ${message}`);
      },
      same,
    );
  }
});

/** Keystone, Nova, Placement and the registrar of one host that is up in cell1: what a dry run asks, as a value or by what was asked before. */
async function cloud(t: ExecutionContext) {
  const service = {id: 's1', binary: 'nova-compute', state: 'up', status: 'enabled', disabled_reason: null};
  const answers: Record<string, unknown> = {
    '/compute/os-services?host=compute-1': {services: [service]},
    '/compute/servers/detail?all_tenants=1&host=compute-1&limit=20': {servers: []},
    '/compute/servers/detail?all_tenants=1&host=compute-1&deleted=True&status=SOFT_DELETED': {servers: []},
    '/compute/os-migrations?host=compute-1': {migrations: []},
    '/compute/os-aggregates': {aggregates: [{id: 3, name: 'ssd', hosts: ['compute-1']}]},
    '/compute/os-hypervisors/detail?limit=500': {
      hypervisors: [{id: node?.uuid, hypervisor_hostname: node?.name, service: {host: 'compute-1'}}],
    },
    [`/compute/os-hypervisors/detail?limit=500&marker=${node?.uuid}`]: {hypervisors: []},
    '/v1/hosts/compute-1': {schema: 1, host: 'compute-1', cell},
  };
  const server = await startServer(({method, path: whole, count}, response) => {
    const path = whole.replace('/internal/', '/');
    if (method === 'POST') {
      const endpoints = (type: string) =>
        ['public', 'internal'].map(name => ({
          interface: name,
          region: 'R',
          region_id: 'R',
          url: `${server.url}${name === 'public' ? '' : '/internal'}/${type}`,
        }));
      const catalog = ['compute', 'placement'].map(type => ({type, name: type, endpoints: endpoints(type)}));
      return sendToken(response, count, {catalog});
    }
    const known = answers[path];
    if (known !== undefined) return sendJson(response, 200, typeof known === 'function' ? known() : known);
    if (path.startsWith('/placement')) return sendJson(response, 200, {resource_providers: []});
    sendJson(response, 404, {});
  });
  t.teardown(() => server[Symbol.asyncDispose]());
  const dir = mkdtempSync(join(tmpdir(), 'cellar-host-'));
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  const file = join(dir, 'a.conf');
  writeFileSync(
    file,
    `[DEFAULT]\nhost = compute-1\n[cell]\njournal_dir = ${dir}/moves\n[registrar]\nurl = ${server.url}\n`,
  );
  const env = {
    OS_AUTH_URL: server.url,
    OS_USERNAME: 'admin',
    OS_PASSWORD: 's3cr3t-password',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_NAME: 'admin',
    OS_PROJECT_DOMAIN_NAME: 'Default',
  };
  const runWith = (more: Record<string, string>, ...args: string[]) =>
    cellar(['host', ...args, '--config-file', file], {env: {...env, ...more}});
  const run = (...args: string[]) => runWith({}, ...args);
  return {server, run, runWith, answers, service, journal: join(dir, 'moves')};
}

test('host move --dry-run prints the steps as they stand, and only asks', async t => {
  const {server, run, answers, service} = await cloud(t);
  const hypervisors = answers['/compute/os-hypervisors/detail?limit=500'];
  const free = await run('move', '--to', 'cell2', '--dry-run');
  t.is(free.code, 0, free.stderr);
  const lines = free.stdout.split('\n');
  t.regex(lines[0] ?? '', /^todo {5}note what the host is now, for afterwards; its aggregates: ssd$/);
  t.regex(lines[1] ?? '', /^todo {5}disable nova-compute of compute-1/);
  t.regex(free.stdout, /^later {4}nova-compute and cellar-agent of compute-1 are stopped$/m);
  Object.assign(answers, {
    '/compute/os-services?host=compute-1': {services: []},
    '/compute/os-hypervisors/detail?limit=500': {hypervisors: []},
    '/v1/hosts/compute-1': {schema: 1, host: 'compute-1', cell: null},
  });
  const left = await run('move', 'compute-1', '--to', 'cell2', '--dry-run');
  t.is(left.code, 1);
  t.regex(
    left.stdout,
    /^blocked {2}compute-1 is started with the configuration of cell cell2, and is mapped there\n {9}compute-1 is not yet in cell cell2\n {9}on compute-1: set /m,
  );
  Object.assign(answers, {
    '/compute/os-services?host=compute-1': {services: [{...service, status: 'disabled'}]},
    '/compute/os-hypervisors/detail?limit=500': hypervisors,
    '/v1/hosts/compute-1': {schema: 1, host: 'compute-1', cell},
  });
  const none = await run('move', 'compute-1', '--to', 'cell2', '--dry-run', '--json');
  t.deepEqual(
    JSON.parse(none.stdout).steps.map(({state}: {state: string}) => state),
    ['todo', 'done', 'done', 'blocked', 'todo', 'done', 'done', 'todo', 'blocked'],
  );
  t.deepEqual([...new Set(server.seen.map(({method}) => method))].toSorted(), ['GET', 'POST']);
  t.true(server.seen.every(({method, path}) => method === 'GET' || path === '/v3/auth/tokens'));
});

test('the endpoints are the internal ones, unless the login names another interface', async t => {
  const {server, runWith} = await cloud(t);
  for (const [env, internal] of [
    [{}, true],
    [{OS_INTERFACE: 'public'}, false],
    [{OS_ENDPOINT_TYPE: 'publicURL'}, false],
    [{OS_INTERFACE: 'internal', OS_ENDPOINT_TYPE: 'publicURL'}, true],
  ] as const) {
    const before = server.seen.length;
    const {code, stderr} = await runWith(env, 'status');
    t.is(code, 0, stderr);
    const asked = server.seen.slice(before).filter(({path}) => /compute|placement/.test(path.replace('compute-1', '')));
    t.true(asked.length > 5);
    t.true(
      asked.every(({path}) => path.startsWith('/internal/') === internal),
      JSON.stringify(env),
    );
  }
});

test("a provider that is left is deleted; not one of nova-compute's that came since Nova was looked at", async t => {
  const {server, run, answers, service, journal} = await cloud(t);
  mkdirSync(journal);
  const nodes = [{name: node?.name, uuid: node?.uuid}];
  const note = {schema: 1, host: 'compute-1', since: '2026-11-22T00:00:00Z', services: ['s1'], nodes, aggregates: []};
  const provider = {uuid: node?.uuid, name: node?.name};
  const deleted = () => server.seen.filter(({method}) => method === 'DELETE').map(({path}) => path);
  let [looked, comes] = [0, true];
  Object.assign(answers, {
    '/compute/os-services?host=compute-1': () => {
      looked += 1;
      return {services: comes && looked > 1 ? [{...service, id: 's8'}] : []};
    },
    '/compute/os-hypervisors/detail?limit=500': {hypervisors: []},
    '/v1/hosts/compute-1': {schema: 1, host: 'compute-1', cell: null},
    [`/placement/resource_providers?uuid=${node?.uuid}`]: () => ({
      resource_providers: deleted().length > 0 ? [] : [provider],
    }),
    [`/placement/resource_providers/${node?.uuid}/allocations`]: {allocations: {}},
  });
  writeFileSync(join(journal, 'compute-1.json'), JSON.stringify(note));
  const left = await run('move', 'compute-1', '--to', 'cell2');
  t.is(left.code, 1);
  t.regex(left.stderr, /^cellar: compute-1 is not yet in cell cell2$/m);
  t.notRegex(left.stderr, /done: /);
  t.deepEqual(deleted(), []);
  t.is(looked, 3, 'at first, before it is deleted, and after it');
  comes = false;
  const again = await run('move', 'compute-1', '--to', 'cell2');
  t.regex(again.stderr, /^done: delete what Nova left of it in Placement: compute-1\.example/m);
  t.deepEqual(deleted(), [`/internal/placement/resource_providers/${node?.uuid}`]);
});

test('answers of Nova that do not fit each other are none', async t => {
  const {run, answers} = await cloud(t);
  answers['/compute/os-services?host=compute-1'] = {services: []};
  for (const args of [['status'], ['release', '--dry-run'], ['release']]) {
    const {code, stderr} = await run(...args);
    t.is(code, 75, stderr);
    t.regex(
      stderr,
      /Nova shows compute node compute-1\.example of compute-1, and no nova-compute\n.*a cell may not answer/,
    );
  }
});

test('host release of a name that Nova does not know says so', async t => {
  const {run, answers} = await cloud(t);
  Object.assign(answers, {
    '/compute/os-services?host=compute-1': {services: []},
    '/compute/os-hypervisors/detail?limit=500': {hypervisors: []},
    '/v1/hosts/compute-1': {schema: 1, host: 'compute-1', cell: null},
  });
  for (const args of [['release', '--dry-run'], ['release']]) {
    const {code, stderr, stdout} = await run(...args);
    t.is(code, 1, stderr);
    t.regex(stderr, /^cellar: Nova knows no host compute-1\n/);
    t.is(stdout, '');
  }
});

test('host status shows what Nova has of the host', async t => {
  const {run} = await cloud(t);
  const {stdout, code, stderr} = await run('status');
  t.is(code, 0, stderr);
  t.regex(stdout, /^host +compute-1$/m);
  t.regex(stdout, /^cell +cell1 \(ce110001-0000-4000-8000-000000000001\)$/m);
  t.regex(stdout, /^service +nova-compute, up, enabled$/m);
  t.regex(stdout, /^node +compute-1\.example \(/m);
  t.regex(stdout, /^aggregates +ssd$/m);
});

test('without a login, or without a target, it is said what is missing', async t => {
  const file = join(mkdtempSync(join(tmpdir(), 'cellar-host-')), 'a.conf');
  t.teardown(() => rmSync(join(file, '..'), {recursive: true, force: true}));
  writeFileSync(file, '');
  const login = await cellar(['host', 'status', '--config-file', file]);
  t.is(login.code, 78);
  t.regex(login.stderr, /there is no login at Keystone: OS_AUTH_URL is not set/);
  const target = await cellar(['host', 'move', '--config-file', file]);
  t.is(target.code, 2);
  t.regex(target.stderr, /Missing required argument: to/);
});
