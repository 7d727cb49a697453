import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {
  ended,
  isAlive,
  obituary,
  recordedDaemon,
  startDaemon,
  stopDaemon,
  stopDaemons,
  stopDaemonsBelow,
} from './daemon.ts';
import {waitFor} from './run.ts';

const directory = (t: {teardown(fn: () => unknown): void}) => {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-daemon-'));
  t.teardown(async () => {
    await stopDaemons(dir);
    rmSync(dir, {recursive: true});
  });
  return dir;
};

test('a daemon that ignores TERM is killed, and its record goes', async t => {
  const dir = directory(t);
  const daemon = startDaemon(dir, 'stubborn', ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done']);
  await waitFor('the trap', async () => assert.match(readFileSync(join(dir, 'log', 'stubborn.out'), 'utf8'), /ready/));
  await stopDaemon(daemon, 300);
  t.false(isAlive(daemon));
  t.false(existsSync(join(dir, 'run', 'stubborn.json')));
});

test('a paused daemon can be stopped', async t => {
  const daemon = startDaemon(directory(t), 'paused', ['sleep', '60']);
  process.kill(daemon.pid, 'SIGSTOP');
  await stopDaemon(daemon);
  t.false(isAlive(daemon));
});

test('daemons anywhere below a directory can be stopped', async t => {
  const dir = directory(t);
  const daemons = ['', 'tmp/one', 'tmp/two/cell'].map(place => startDaemon(join(dir, place), 'below', ['sleep', '60']));
  await stopDaemonsBelow(dir);
  t.deepEqual(daemons.filter(isAlive), []);
});

test('a record whose pid belongs to another process by now stops nobody', async t => {
  const dir = directory(t);
  const stranger = spawn('sleep', ['60'], {stdio: 'ignore'});
  t.teardown(() => stranger.kill());
  await startAndStop(dir);
  writeFileSync(join(dir, 'run', 'old.json'), JSON.stringify({pid: stranger.pid, started: '1', logs: []}));
  await stopDaemons(dir);
  t.is(stranger.exitCode, null);
  t.is(stranger.signalCode, null);
  t.is(recordedDaemon(dir, 'old'), undefined);
});

test('the obituary holds the last words', async t => {
  const dir = directory(t);
  const daemon = startDaemon(dir, 'brief', ['sh', '-c', 'echo the disk is on fire; exit 3']);
  t.true(await ended(daemon, 5000));
  t.regex(obituary(daemon) ?? '', /brief has ended\n--- .*\nthe disk is on fire/);
});

test('a program that does not exist is an error that says so', t => {
  t.throws(() => startDaemon(directory(t), 'none', ['cellar-no-such-program']), {
    message: /cellar-no-such-program cannot be started/,
  });
});

test('a tied daemon dies with the process that started it, even by SIGKILL', async t => {
  const dir = directory(t);
  const code = `import {startDaemon} from '${import.meta.dirname}/daemon.ts';
    startDaemon('${dir}', 'tied', ['sleep', '60'], {tied: true}); setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {stdio: 'inherit'});
  const daemon = await waitFor('the daemon', async () => {
    const found = recordedDaemon(dir, 'tied');
    if (!found || !readFileSync(`/proc/${found.pid}/comm`, 'utf8').startsWith('sleep')) throw new Error('not yet');
    return found;
  });
  parent.kill('SIGKILL');
  t.true(await ended(daemon, 5000));
});

async function startAndStop(dir: string): Promise<void> {
  await stopDaemon(startDaemon(dir, 'first', ['sleep', '60']));
}
