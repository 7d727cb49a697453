import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
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

/** Keystone, Nova, Placement and the registrar of one host that is up in cell1: what a dry run asks. */
async function cloud(t: ExecutionContext) {
  const service = {id: 's1', binary: 'nova-compute', state: 'up', status: 'enabled', disabled_reason: null};
  const answers: Record<string, unknown> = {
    '/compute/os-services?host=compute-1': {services: [service]},
    '/compute/servers/detail?all_tenants=1&limit=20&host=compute-1': {servers: []},
    '/compute/os-migrations?host=compute-1': {migrations: []},
    '/compute/os-aggregates': {aggregates: [{id: 3, name: 'ssd', hosts: ['compute-1']}]},
    '/compute/os-hypervisors/detail?limit=500': {
      hypervisors: [{id: node?.uuid, hypervisor_hostname: node?.name, service: {host: 'compute-1'}}],
    },
    [`/compute/os-hypervisors/detail?limit=500&marker=${node?.uuid}`]: {hypervisors: []},
    '/v1/hosts/compute-1': {schema: 1, host: 'compute-1', cell},
  };
  const server = await startServer(({method, path, count}, response) => {
    if (method === 'POST') {
      const endpoints = (type: string) => [
        {interface: 'public', region: 'R', region_id: 'R', url: `${server.url}/${type}`},
      ];
      const catalog = ['compute', 'placement'].map(type => ({type, name: type, endpoints: endpoints(type)}));
      return sendToken(response, count, {catalog});
    }
    if (path in answers) return sendJson(response, 200, answers[path]);
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
  const run = (...args: string[]) => cellar(['host', ...args, '--config-file', file], {env});
  return {server, run, answers, service};
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
