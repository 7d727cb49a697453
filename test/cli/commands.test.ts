import test from 'ava';
import {version} from '../../src/config/version.ts';
import {diskResult, diskView, image, requestId, secret, status} from '../api/fake-agent.ts';
import {withServer} from '../api/with-server.ts';
import {cellar, cellarOnTerminal} from './run-cli.ts';

const same = {version};
const visible = (text: string) => text.replaceAll('\x1b', '␛');
const json = (run: {stdout: string}) => JSON.parse(run.stdout);

test('disk create --json prints the promised object and nothing else', async t => {
  await withServer(
    {},
    async ({socket, seen}) => {
      const run = await cellar(
        ['disk', 'create', 'vms/d1', '--image', image, '--size', '30G', '--json', '--socket', socket],
        {
          env: {OS_TOKEN: secret},
        },
      );
      t.is(run.stderr, '');
      t.is(run.code, 0);
      const request = {pool: 'vms', name: 'd1', image, size: 32_212_254_720, requester: {}};
      t.deepEqual(json(run), {schema: 1, ...diskResult(request)});
      t.deepEqual(Object.keys(json(run)).toSorted(), [
        'glanceBytes',
        'name',
        'outcome',
        'parent',
        'pool',
        'roads',
        'schema',
        'size',
        'timings',
      ]);
      t.is(run.stdout.indexOf('\n'), run.stdout.length - 1);
      t.like(seen[0]?.args, [{pool: 'vms', name: 'd1', image, size: 32_212_254_720, requester: {token: secret}}]);
    },
    same,
  );
});

test('disk create in words, and by its id alone', async t => {
  await withServer(
    {},
    async ({socket}) => {
      const run = await cellar(['disk', 'create', 'vms/d1', '--image', image, '--socket', socket]);
      t.is(
        run.stdout,
        `disk             vms/d1
outcome          cloned-from-cache
size             20 GiB
parent           cellar/${image}.01JD@snap
from Glance      0 B
took             0.153 s (glance 0.041 s, clone 0.102 s)
not by location  its locations are in another cluster
by cached        the cell has a verified copy
`,
      );
      t.is(run.stderr, '');
      const quiet = await cellar(['disk', 'create', 'vms/d1', '--image', image, '-q', '--socket', socket]);
      t.deepEqual(quiet, {code: 0, stdout: 'vms/d1\n', stderr: ''});
    },
    same,
  );
});

test('disk show and delete: words, ids and JSON', async t => {
  await withServer(
    {},
    async ({socket, seen}) => {
      const on = (...args: string[]) => cellar([...args, '--socket', socket]);
      t.is(
        (await on('disk', 'show', 'vms/one_disk')).stdout,
        `disk    vms/one_disk
state   whole
size    20 GiB
parent  cellar/${image}.01JD@snap
data    none of its own
`,
      );
      t.deepEqual(json(await on('disk', 'show', 'vms/one_disk', '--json')), {schema: 1, ...diskView});
      t.is((await on('disk', 'delete', 'vms/d1')).stdout, 'vms/d1 is deleted\n');
      t.is((await on('disk', 'delete', 'vms/d1', '-q')).stdout, 'vms/d1\n');
      t.deepEqual(json(await on('disk', 'delete', 'vms/d1', '--json')), {
        schema: 1,
        pool: 'vms',
        name: 'd1',
        deleted: true,
      });
      t.is(seen.length, 5);
    },
    same,
  );
});

test('a disk that is torn or being made says why and by whom', async t => {
  const showDisk = async () => ({
    ...diskView,
    state: 'being-made' as const,
    size: null,
    parent: null,
    registered: false,
    why: 'the image does not open',
    intent: {
      schema: 1 as const,
      host: 'compute-2',
      run: 'r',
      since: '2026-11-22T07:00:00.000Z',
      image,
      parent: {pool: 'cellar', image: 'x', snapshot: 'snap'},
    },
  });
  await withServer(
    {showDisk, deleteDisk: async () => ({deleted: false})},
    async ({socket}) => {
      t.is(
        (await cellar(['disk', 'show', 'vms/d1', '--socket', socket])).stdout,
        `disk        vms/one_disk
state       being-made: the image does not open
parent      none
data        none of its own
being made  by compute-2 since 2026-11-22T07:00:00.000Z, of image ${image}
`,
      );
      t.deepEqual(await cellar(['disk', 'delete', 'vms/d1', '--socket', socket]), {
        code: 0,
        stdout: 'vms/d1 was not there\n',
        stderr: '',
      });
      t.is((await cellar(['disk', 'delete', 'vms/d1', '-q', '--socket', socket])).stdout, '');
    },
    same,
  );
});

test('status in words and JSON', async t => {
  await withServer(
    {},
    async ({socket}) => {
      t.is(
        (await cellar(['status', '--socket', socket])).stdout,
        `agent         9.9.9 on compute-1, cell cell1, since 2026-11-22T06:00:00.000Z
ceph          up, 7c1d0b3e-4f6a-4f58-9d1c-3f1f4f0e8d11, user cellar, pool cellar
glance        up, http://glance.example:9292
keystone      unknown
registration  mapped, node compute-1.example (aaaaaaaa-0000-4000-8000-000000000001) in cell cell1 (ce110001-0000-4000-8000-000000000001)
cached        1 image, 20 GiB
requests      0
filling       ${image}, 1 MiB of 584 MiB [....................]   0%
`,
      );
      t.deepEqual(json(await cellar(['status', '--json', '--socket', socket])), {schema: 1, ...status, requests: 0});
    },
    same,
  );
});

test('status shows how old each answer is', async t => {
  const asked = (s: number) => new Date(Date.now() - s * 1000).toISOString();
  const glance = {...status.glance, asked: asked(3 * 3600 + 60)};
  const keystone = {state: 'down' as const, url: 'http://keystone.example:5000', asked: asked(150), why: 'no answer'};
  await withServer(
    {status: async () => ({...status, glance, keystone})},
    async ({socket}) => {
      const {stdout} = await cellar(['status', '--socket', socket]);
      t.true(stdout.includes('glance        up, http://glance.example:9292, asked 3 h ago\n'), stdout);
      t.true(
        stdout.includes('keystone      down, http://keystone.example:5000, asked 2 min ago (no answer)\n'),
        stdout,
      );
      t.is(json(await cellar(['status', '--json', '--socket', socket])).keystone.asked, keystone.asked);
    },
    same,
  );
});

test('status shows how full the cache is, and what went wrong last', async t => {
  const gib = 1024 ** 3;
  const mishaps = [{at: '2026-11-22T07:00:00.000Z', message: 'the fill of image x failed:\nno', requestId}];
  const cached = {images: 2, bytes: 40 * gib, stored: 6 * gib, limit: 8 * gib};
  await withServer(
    {status: async () => ({...status, cached, mishaps})},
    async ({socket}) => {
      const {stdout} = await cellar(['status', '--socket', socket]);
      t.true(stdout.includes('cached        2 images, 40 GiB; they take 6 GiB of 8 GiB [###############.....]  75%\n'));
      t.true(stdout.includes(`went wrong    2026-11-22T07:00:00.000Z the fill of image x failed: no (${requestId})\n`));
      t.false(stdout.includes('\x1b'));
      const {stdout: shown} = await cellarOnTerminal(['status', '--socket', socket]);
      t.regex(visible(shown), /^ceph +␛\[32mup␛\[39m, /m);
      t.regex(visible(shown), /^keystone +␛\[33munknown␛\[39m/m);
      const env = {NO_COLOR: '1'};
      t.false((await cellarOnTerminal(['status', '--socket', socket], {env})).stdout.includes('\x1b'));
      t.deepEqual(json(await cellar(['status', '--json', '--socket', socket])).cached, cached);
    },
    same,
  );
});

test('status says why a host is not registered and what to do, and nothing where the agent does not register it', async t => {
  const say = async (registration: typeof status.registration) => {
    let said = '';
    await withServer(
      {status: async () => ({...status, registration})},
      async ({socket}) => {
        said = (await cellar(['status', '--socket', socket])).stdout;
      },
      same,
    );
    return said;
  };
  const refused = await say({state: 'refused', why: 'host a is mapped to cell2', hint: 'delete that mapping'});
  t.regex(refused, /^registration +refused \(host a is mapped to cell2\)\n +delete that mapping$/m);
  t.notRegex(await say({state: 'off'}), /registration/);
});

test('progress is not asked for, and not printed, without a terminal', async t => {
  const asked: boolean[] = [];
  await withServer(
    {
      createDisk: async (request, {onProgress}) => {
        asked.push(onProgress !== undefined);
        return diskResult(request);
      },
    },
    async ({socket}) => {
      const run = await cellar(['disk', 'create', 'vms/d1', '--image', image, '--socket', socket]);
      t.is(run.stderr, '');
      t.deepEqual(asked, [false]);
    },
    same,
  );
});
