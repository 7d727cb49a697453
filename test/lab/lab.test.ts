import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {isAlive} from './daemon.ts';
import {waitFor} from './run.ts';
import {lab} from './shared.ts';
import {labDaemons, readState, stateFile} from './state.ts';

const main = (base: string, ...args: string[]) =>
  spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args, '--base', base], {stdio: 'pipe'});

const directory = (t: {teardown(fn: () => unknown): void}) => {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-lab-test-'));
  t.teardown(async () => {
    await finish(main(join(dir, 'lab'), 'down'));
    rmSync(dir, {recursive: true, force: true});
  });
  return join(dir, 'lab');
};

/** Waits for the end of the output too: a daemon that kept the caller's pipe open would keep us here. */
async function finish(child: ReturnType<typeof main>) {
  const code = new Promise<number | null>(resolve => child.on('close', resolve));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return {code: await code, out, err};
}

/** Processes that have the directory in their command line: daemons, and commands that make them. */
const runningIn = (base: string) =>
  readdirSync('/proc').filter(pid => {
    try {
      return (
        /^\d+$/.test(pid) && Number(pid) !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(base)
      );
    } catch {
      return false; // it has ended meanwhile
    }
  });

test.serial('a second lab comes up beside the first, once, and goes without a trace', async t => {
  const base = directory(t);
  const {code, err} = await finish(main(base, 'up'));
  t.is(code, 0, err);
  t.regex(err, /Keystone\n(.*\n)*.*the lab is up/);

  const state = readState(stateFile(base));
  const first = lab();
  t.not(state.port, first.port);
  t.not(state.cell.fsid, first.cell.fsid);
  const pids = labDaemons(base).map(daemon => daemon.pid);
  t.is(pids.length, 6);

  t.regex((await finish(main(base, 'up'))).err, /runs already/);
  t.deepEqual(
    labDaemons(base).map(daemon => daemon.pid),
    pids,
  );
  t.is((await finish(main(base, 'status'))).code, 0);
  t.regex((await finish(main(base, 'env'))).out, new RegExp(`export CEPH_CONF='${base}/cell/ceph.conf'`));

  t.is((await finish(main(base, 'down'))).code, 0);
  t.deepEqual(runningIn(base), []);
  t.false(existsSync(base));
  t.is((await finish(main(base, 'status'))).code, 3);
  t.true(labDaemons(first.base).every(isAlive));
});

test.serial('a lab that is held dies with its keeper, even by SIGKILL', async t => {
  const base = directory(t);
  const keeper = main(base, 'hold');
  await new Promise(resolve => keeper.stdout.once('data', resolve));
  const daemons = labDaemons(base);
  t.is(daemons.filter(isAlive).length, 6);
  keeper.kill('SIGKILL');
  await waitFor('their end', async () => {
    if (runningIn(base).length > 0) throw new Error('some still run');
  });
  t.true(existsSync(base)); // nobody was left to remove it; the next start or `down` does
});

const interruptions: Record<string, (keeper: ReturnType<typeof main>) => void> = {
  'a signal': keeper => keeper.kill('SIGTERM'),
  'the death of the caller': keeper => keeper.stdin.end(),
};
for (const [what, interrupt] of Object.entries(interruptions)) {
  test.serial(`a start that is interrupted by ${what} leaves nothing, nor anybody who used it`, async t => {
    const base = directory(t);
    const user = spawn('sleep', ['60'], {stdio: 'ignore', env: {...process.env, CELLAR_LAB: stateFile(base)}});
    const userEnded = new Promise(resolve => user.on('exit', (_, signal) => resolve(signal)));
    const starting = main(base, 'hold');
    const result = finish(starting);
    await waitFor('the first daemon', async () => {
      if (labDaemons(base).length === 0) throw new Error('not yet');
    });
    interrupt(starting);
    t.like(await result, {code: 1});
    t.is(await userEnded, 'SIGKILL');
    t.deepEqual(runningIn(base), []);
    t.false(existsSync(base));
  });
}
