/** The command line as a user has it: bytes on stdout and stderr, exit codes, and what the agent was asked. */
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import test from 'ava';
import {version} from '../../src/cli/version.ts';
import {CellarError, type ErrorKind, errorKinds} from '../../src/core/errors.ts';
import {diskResult, diskView, entry, image, secret, status, untilAborted} from '../api/fake-agent.ts';
import {temporaryFolder} from '../api/temporary-folder.ts';
import {eventually, withServer} from '../api/with-server.ts';
import {cellar} from './run-cli.ts';

const same = {version};
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

test('the token comes from a file, from stdin, or from OS_TOKEN, in this order; without one there is none', async t => {
  const file = join(await temporaryFolder(), 'token');
  await writeFile(file, `${secret}\n`);
  await withServer(
    {},
    async ({socket, seen}) => {
      const create = ['disk', 'create', 'vms/d1', '--image', image, '-q', '--socket', socket];
      const other = {OS_TOKEN: 'another-token-of-the-environment'};
      await cellar([...create, '--token-file', file], {env: other});
      await cellar([...create, '--token-file', '-'], {env: other, stdin: `  ${secret}\n`});
      await cellar(create, {env: {OS_TOKEN: secret}});
      await cellar(create, {env: {OS_TOKEN: ''}});
      const tokens = seen.map(({args}) => (args[0] as {requester: {token?: string}}).requester.token);
      t.deepEqual(tokens, [secret, secret, secret, undefined]);
    },
    same,
  );
});

test('a token file that is missing or empty is a usage error, and the agent is not asked', async t => {
  await withServer(
    {},
    async ({socket, seen}) => {
      const create = ['disk', 'create', 'vms/d1', '--image', image, '--socket', socket, '--token-file'];
      const missing = await cellar([...create, '/nonexistent/token']);
      t.is(missing.code, 2);
      t.is(missing.stderr, 'cellar: the token cannot be read from /nonexistent/token: ENOENT\n  check --token-file\n');
      const empty = await cellar([...create, '-'], {stdin: '\n'});
      t.is(empty.code, 2);
      t.regex(empty.stderr, /^cellar: there is no token in stdin\n/);
      t.deepEqual(seen, []);
    },
    same,
  );
});

test('a token on the command line is refused with what to do instead, and not repeated', async t => {
  for (const args of [['--token', secret], [`--token=${secret}`]]) {
    const run = await cellar(['disk', 'create', 'vms/d1', '--image', image, ...args]);
    t.is(run.code, 2);
    t.regex(run.stderr, /use --token-file or OS_TOKEN/);
  }
});

test('a token that a broken agent quotes is struck out, in words, JSON and --debug', async t => {
  const createDisk = async () => {
    throw new CellarError('unavailable', 'no');
  };
  await withServer({createDisk}, async () => {
    const {createServer} = await import('node:http');
    const path = join(await temporaryFolder(), 's');
    const error = {kind: 'unavailable', message: `Glance did not like ${secret}`, hint: secret, requestId: 'r'};
    const server = createServer((_, response) => {
      response.writeHead(503, {'Content-Type': 'application/json'}).end(JSON.stringify({schema: 1, error}));
    }).listen(path);
    const args = [
      'disk',
      'create',
      'vms/d1',
      '--image',
      image,
      '--json',
      '--debug',
      '--token-file',
      '-',
      '--socket',
      path,
    ];
    const run = await cellar(args, {stdin: secret});
    t.is(run.code, 75);
    t.is(json(run).error.message, 'Glance did not like ***');
    t.regex(run.stderr, /^cellar: Glance did not like \*\*\*\n {2}\*\*\*\n/);
    server.close();
  });
});

test('disk show and delete, image list and show: words, ids and JSON', async t => {
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
      t.is(
        (await on('image', 'list')).stdout,
        `IMAGE                                   SIZE  FORMAT  VERIFIED  CREATED                   BY
${image}  20 GiB  qcow2   yes       2026-11-22T07:00:00.000Z  compute-1
`,
      );
      t.is((await on('image', 'list', '-q')).stdout, `${image}\n`);
      t.deepEqual(json(await on('image', 'list', '--json')), {schema: 1, images: [entry]});
      t.deepEqual(json(await on('image', 'show', image.toUpperCase(), '--json')), entry);
      t.is(
        (await on('image', 'show', image)).stdout,
        `image        ${image}
copy         ${image}.01JD@snap
size         20 GiB
made         2026-11-22T07:00:00.000Z by compute-1
file         qcow2, 584 MiB, verified
file sha512  ${'ab'.repeat(64)}
disk sha512  ${'cd'.repeat(64)}
`,
      );
      t.is(seen.length, 10);
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
        `agent     9.9.9 on compute-1, cell cell1, since 2026-11-22T06:00:00.000Z
ceph      up, 7c1d0b3e-4f6a-4f58-9d1c-3f1f4f0e8d11, user cellar, pool cellar
glance    up, http://glance.example:9292
keystone  unknown
cached    1 image, 20 GiB
requests  0
filling   ${image}, 1 MiB of 584 MiB
`,
      );
      t.deepEqual(json(await cellar(['status', '--json', '--socket', socket])), {schema: 1, ...status, requests: 0});
    },
    same,
  );
});

// One for each exit code; the table has the rest.
for (const kind of [
  'usage',
  'unauthorized',
  'not-found',
  'unavailable',
  'unreachable',
  'config',
] satisfies ErrorKind[]) {
  test(`the agent's ${kind} is told with its hint, and exits ${errorKinds[kind].exit}`, async t => {
    const listImages = async () => {
      throw new CellarError(kind, 'what happened', {hint: 'what to do', object: 'it'});
    };
    await withServer(
      {listImages},
      async ({socket}) => {
        const run = await cellar(['image', 'list', '--json', '--socket', socket]);
        t.is(run.code, errorKinds[kind].exit);
        t.is(run.stderr, 'cellar: what happened\n  what to do\n');
        t.deepEqual(json(run), {schema: 1, error: {kind, message: 'what happened', hint: 'what to do', object: 'it'}});
      },
      same,
    );
  });
}

test('without --json nothing goes to stdout on an error, and no stack anywhere', async t => {
  const run = await cellar(['status', '--socket', '/nonexistent/s']);
  t.is(run.code, 69);
  t.is(run.stdout, '');
  t.regex(
    run.stderr,
    /^cellar: the agent's socket \/nonexistent\/s does not exist\n {2}is the agent running\? see `systemctl status cellar-agent`/,
  );
  t.false(run.stderr.includes('    at '));
});

test('--debug adds the stack and the causes', async t => {
  const run = await cellar(['status', '--debug', '--socket', '/nonexistent/s']);
  t.is(run.code, 69);
  t.regex(run.stderr, /CellarError: the agent's socket .*\n {4}at /);
  t.regex(run.stderr, /caused by: Error: connect ENOENT/);
});

test('wrong command lines exit 2 with the help page to read', async t => {
  for (const [args, message, help] of [
    [[], 'what is to be done?', 'cellar --help'],
    [['disk'], 'disk needs a command', 'cellar disk --help'],
    [['disk', 'crate', 'vms/a'], 'Unknown commands: crate, vms/a', 'cellar disk --help'],
    [['frobnicate'], 'Unknown command: frobnicate', 'cellar --help'],
    [['disk', 'create', 'vms/a'], 'Missing required argument: image', 'cellar disk create --help'],
    [['disk', 'show'], 'Not enough non-option arguments: got 0, need at least 1', 'cellar disk show --help'],
    [['status', '--sockt', 'x'], 'Unknown argument: sockt', 'cellar status --help'],
    [['status', '--json', '-q'], 'Arguments json and quiet are mutually exclusive', 'cellar status --help'],
  ] as const) {
    const run = await cellar(args);
    t.is(run.code, 2, args.join(' '));
    t.true(run.stderr.startsWith(`cellar: ${message}`), run.stderr);
    t.true(run.stderr.endsWith(`  see \`${help}\`\n`), run.stderr);
  }
});

test('wrong sizes, times and names exit 2 before the agent is asked', async t => {
  await withServer(
    {},
    async ({socket, seen}) => {
      const create = ['disk', 'create', 'vms/d1', '--image', image, '--socket', socket];
      for (const [args, message] of [
        [
          [...create, '--size', '10GB'],
          'the size "10GB" may mean powers of 1000 or of 1024; write 10GiB for the latter',
        ],
        [[...create, '--timeout', 'soon'], 'the time "soon" is not a number of seconds, like 90, or 10m or 2h'],
        [['disk', 'show', 'vms', '--socket', socket], '"vms" is no POOL/NAME'],
        [['disk', 'show', '/d1', '--socket', socket], '"/d1" is no POOL/NAME'],
        [
          ['disk', 'show', 'vms/a/b', '--socket', socket],
          "the disk: the disk's name may not hold '/', '@' or control characters",
        ],
        [['disk', 'delete', 'vms/..', '--socket', socket], "the disk: the disk's name may not be '.' or '..'"],
        [
          ['disk', 'create', 'vms/d1', '--image', 'debian', '--socket', socket],
          'the disk: image must be a UUID, as Glance writes it',
        ],
        [['image', 'show', 'debian', '--socket', socket], 'the image id: must be a UUID, as Glance writes it'],
      ] as const) {
        const run = await cellar(args);
        t.is(run.code, 2, args.join(' '));
        t.is(run.stderr.split('\n')[0], `cellar: ${message}`);
      }
      t.deepEqual(seen, []);
    },
    same,
  );
});

test('help goes to stdout, shows two examples before the options, and exits 0', async t => {
  for (const words of [
    [],
    ['disk'],
    ['disk', 'create'],
    ['disk', 'show'],
    ['disk', 'delete'],
    ['image'],
    ['image', 'list'],
    ['image', 'show'],
    ['status'],
    ['config'],
    ['config', 'check'],
    ['config', 'show'],
    ['config', 'sample'],
  ]) {
    const {code, stdout, stderr} = await cellar([...words, '--help']);
    t.is(code, 0);
    t.is(stderr, '');
    t.true(stdout.startsWith(`Usage: cellar ${words.join(' ')}`), stdout);
    const [before = '', after = ''] = stdout.split('Global options:');
    t.is(before.split('\n').filter(line => line.startsWith('$ ')).length, 2, words.join(' '));
    t.true(after.includes('--config-file'));
  }
});

test('--version is the version', async t => {
  t.deepEqual(await cellar(['--version']), {code: 0, stdout: `${version}\n`, stderr: ''});
});

test('an agent of another version is told of, except to those who want it quiet', async t => {
  await withServer({}, async ({socket}) => {
    const run = await cellar(['image', 'list', '--json', '--socket', socket]);
    t.is(run.code, 0);
    t.is(run.stderr, `cellar: warning: the agent is version 9.9.9, this is ${version}\n`);
    t.is((await cellar(['image', 'list', '-q', '--socket', socket])).stderr, '');
  });
});

test('--timeout bounds the call', async t => {
  await withServer(
    {listImages: untilAborted},
    async ({socket, handled}) => {
      const run = await cellar(['image', 'list', '--timeout', '1', '--socket', socket]);
      t.is(run.code, 75);
      t.is(run.stderr.split('\n')[0], 'cellar: the agent did not answer within 1 s');
      await eventually(() => handled.length === 1);
      t.is(handled[0]?.status, 499);
    },
    same,
  );
});

for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${name} aborts the request at the agent and exits ${code}`, async t => {
    await withServer(
      {createDisk: (_, {signal}) => untilAborted(signal)},
      async ({socket, seen, handled}) => {
        const run = await cellar(['disk', 'create', 'vms/d1', '--image', image, '--socket', socket], {
          meanwhile: child => void eventually(() => seen.length === 1, 60_000).finally(() => child.kill(name)),
        });
        t.is(run.code, code);
        t.is(run.stderr, 'cellar: interrupted\n');
        t.is(run.stdout, '');
        await eventually(() => handled.length === 1);
        t.true(seen[0]?.signal.aborted);
      },
      same,
    );
  });
}

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

test('a reader that closes the pipe early is no error', async t => {
  await withServer(
    {listImages: async () => Array.from({length: 5000}, () => entry)},
    async ({socket}) => {
      const run = await cellar(['image', 'list', '--socket', socket], {
        meanwhile: child => child.stdout.destroy(),
      }).catch(error => {
        // The closed pipe itself: there is nothing to read any more.
        if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
        return {code: 0, stderr: ''};
      });
      t.is(run.code, 0);
      t.is(run.stderr, '');
    },
    same,
  );
});
