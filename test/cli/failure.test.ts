import test from 'ava';
import {version} from '../../src/config/version.ts';
import {CellarError, type ErrorKind, errorKinds} from '../../src/core/errors.ts';
import {entry, image, kept, untilAborted} from '../api/fake-agent.ts';
import {eventually, withServer} from '../api/with-server.ts';
import {cellar, cellarInShell} from './run-cli.ts';

const same = {version};
const json = (run: {stdout: string}) => JSON.parse(run.stdout);

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

test('a reader that closes the pipe early is no error', async t => {
  await withServer(
    {listImages: async () => ({...kept, copies: Array.from({length: 20_000}, () => entry)})},
    async ({socket}) => {
      const run = await cellarInShell(['image', 'list', '-q', '--socket', socket], '; echo $? >&2; } | head -1');
      t.is(run.stdout, `${image}\n`);
      t.is(run.stderr, '0\n');
    },
    same,
  );
});

test('output that cannot be written is an error', async t => {
  const run = await cellarInShell(['config', 'sample'], '> /dev/full; }');
  t.is(run.code, 1);
  t.is(run.stderr, 'cellar: the output cannot be written: ENOSPC\n');
});
