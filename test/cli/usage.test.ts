import test from 'ava';
import {version} from '../../src/config/version.ts';
import {image} from '../api/fake-agent.ts';
import {withServer} from '../api/with-server.ts';
import {cellar} from './run-cli.ts';

const same = {version};

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
