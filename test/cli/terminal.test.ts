/** The same commands on a pseudo-terminal. */
import {readFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import type {Agent} from '../../src/api/agent.ts';
import {version} from '../../src/config/version.ts';
import {CellarError} from '../../src/core/errors.ts';
import {diskResult, image, secret, status} from '../api/fake-agent.ts';
import {withServer} from '../api/with-server.ts';
import {cellar, cellarOnTerminal} from './run-cli.ts';

const mib = 1024 ** 2;
const options = {version, progressInterval: 0};
const create = (socket: string) => ['disk', 'create', 'vms/d1', '--image', image, '--socket', socket];
/** Regular expressions with control characters in them are hard to read. */
const visible = (text: string) => text.replaceAll('\x1b', '␛');
const red = '\x1b[31m';

const filling: Agent['createDisk'] = async (request, {onProgress}) => {
  for (const received of [0, 100, 200, 400]) {
    onProgress?.({image, received: received * mib, size: 400 * mib});
    await sleep(600);
  }
  return diskResult(request);
};

test('a running fill shows a bar with MiB, per cent, rate and time left, and leaves no trace', async t => {
  await withServer(
    {createDisk: filling},
    async ({socket, directory}) => {
      const out = join(directory, 'out');
      const run = await cellarOnTerminal(create(socket), {env: {OS_TOKEN: secret}}, `> '${out}'`);
      t.is(run.code, 0);
      t.regex(visible(run.stdout), /\rfilling 5b9a1f0e 0\/400 MiB 0% \[\.+\]␛\[K/);
      // at the third line; on a busy machine the first ones may come together, and the rate is only known at the fourth
      t.regex(visible(run.stdout), /\rfilling 5b9a1f0e [24]00\/400 MiB \d+% \d+\.\d MiB\/s ETA 0:0\d \[#+\.*\]␛\[K/);
      t.regex(visible(run.stdout), /400\/400 MiB 100% .*\r␛\[K$/s);
      // Data goes where it is sent, and the bar does not go with it.
      t.regex(await readFile(out, 'utf8'), /^disk +vms\/d1\noutcome /);
    },
    options,
  );
});

test('the result follows the bar on a clean line', async t => {
  await withServer(
    {createDisk: filling},
    async ({socket}) => {
      const run = await cellarOnTerminal(create(socket));
      t.regex(visible(run.stdout), /\r␛\[Kdisk +vms\/d1\r\n/);
    },
    options,
  );
});

test('no bar with -q or --json', async t => {
  await withServer(
    {createDisk: filling},
    async ({socket}) => {
      t.is((await cellarOnTerminal([...create(socket), '-q'])).stdout, 'vms/d1\r\n');
      const run = await cellarOnTerminal([...create(socket), '--json']);
      t.is(JSON.parse(run.stdout).outcome, 'cloned-from-cache');
      t.false(run.stdout.includes('\x1b'));
    },
    options,
  );
});

test('a failure in the middle of a fill clears the bar before it is told', async t => {
  const createDisk: Agent['createDisk'] = async (_, {onProgress}) => {
    onProgress?.({image, received: mib, size: 10 * mib});
    await sleep(100);
    throw new CellarError('corrupt', 'the digest is wrong', {hint: 'try again'});
  };
  await withServer(
    {createDisk},
    async ({socket}) => {
      const run = await cellarOnTerminal(create(socket), {env: {NO_COLOR: '1'}});
      t.is(run.code, 75);
      t.regex(visible(run.stdout), /1\/10 MiB 10% .*\r␛\[Kcellar: the digest is wrong\r\n {2}try again\r\n$/s);
    },
    options,
  );
});

test('colour is for terminals, and not with NO_COLOR or on a dumb one', async t => {
  const args = ['status', '--socket', '/nonexistent/s'];
  t.true((await cellarOnTerminal(args)).stdout.startsWith(`${red}cellar:\x1b[39m the agent's socket`));
  for (const env of [{NO_COLOR: '1'}, {TERM: 'dumb'}]) {
    t.true((await cellarOnTerminal(args, {env})).stdout.startsWith('cellar: the agent'));
  }
  t.true((await cellarOnTerminal(args, {env: {NO_COLOR: ''}})).stdout.startsWith(red));
  t.false((await cellar(args)).stderr.includes('\x1b'));
});

test('what an answer or an error holds cannot drive the terminal', async t => {
  const evil = 'a\x1b]0;title\x07b\rc';
  const script: Partial<Agent> = {
    showImage: async () => {
      throw new CellarError('internal', evil, {hint: evil});
    },
    status: async () => ({...status, ceph: {...status.ceph, state: 'down', why: evil}}),
  };
  await withServer(
    script,
    async ({socket}) => {
      for (const args of [['image', 'show', image], ['status']]) {
        const {stdout} = await cellarOnTerminal([...args, '--socket', socket], {env: {NO_COLOR: '1'}});
        t.false(stdout.includes('\x1b'));
        t.false(stdout.includes('\x07'));
        t.true(stdout.includes('a?]0;title?b?c'));
      }
    },
    options,
  );
});

test('Ctrl-C typed at the terminal clears the bar and exits 130', async t => {
  const createDisk: Agent['createDisk'] = (_, {onProgress, signal}) => {
    onProgress?.({image, received: mib, size: 10 * mib});
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  await withServer(
    {createDisk},
    async ({socket}) => {
      const run = await cellarOnTerminal(create(socket), {
        env: {NO_COLOR: '1'},
        meanwhile: child => child.stdout.once('data', () => setTimeout(() => spawnInterrupt(child.pid), 100)),
      });
      t.is(run.code, 130);
      t.regex(visible(run.stdout), /\r␛\[Kcellar: interrupted\r\n$/);
    },
    options,
  );
});

/** script passes on what is typed, but its stdin here is no terminal: the signal goes to the group of the pseudo-terminal. */
function spawnInterrupt(pid: number | undefined): void {
  const children = readChildren(pid);
  for (const child of children) process.kill(-child, 'SIGINT');
}

function readChildren(pid: number | undefined): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}
