import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {checkLimits} from '../../src/convert/limits.ts';
import {qemuImg} from '../../src/convert/run.ts';
import {CellarError} from '../../src/core/errors.ts';
import {never, withFakeQemuImg} from './setup.ts';

const MiB = 2 ** 20;
const run = (limits: Partial<typeof checkLimits> = {}, signal = never, args: string[] = []) =>
  qemuImg(args, {limits: {...checkLimits, ...limits}, signal});

/** Is the process with this id gone, or about to be (a zombie nobody waited for)? */
const isGone = (pid: string) =>
  !existsSync(`/proc/${pid}`) || /^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

test.serial('qemu-img runs, and says what it says', async t => {
  const {status, stdout, died} = await run({}, never, ['--version']);
  t.is(status, 0);
  t.regex(stdout, /^qemu-img version/);
  t.is(died, undefined);
});

test.serial('it runs under its limits, behind the guests, with nothing of our environment', async t => {
  process.env['CEPH_ARGS'] = '--id=somebody';
  const said = await withFakeQemuImg('cat /proc/self/limits; nice; env', async () =>
    run({cpuSeconds: 7, addressSpace: 300 * MiB}),
  );
  delete process.env['CEPH_ARGS'];
  t.regex(said.stdout, /^Max cpu time +7 +12 /m);
  t.regex(said.stdout, new RegExp(`^Max address space +${300 * MiB} +${300 * MiB} `, 'm'));
  t.regex(said.stdout, /^Max file size +0 +0 /m);
  t.regex(said.stdout, /^Max core file size +0 +0 /m);
  t.regex(said.stdout, /^10$/m);
  t.deepEqual(
    said.stdout
      .match(/^[A-Z_]+(?==)/gm)
      ?.filter(name => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name))
      .sort(),
    ['LC_ALL', 'MALLOC_ARENA_MAX', 'PATH'],
  );
});

test.serial('it is ended at its limit of CPU time', async t => {
  const {died, status} = await withFakeQemuImg('while :; do :; done', async () => run({cpuSeconds: 1}));
  t.is(status, null);
  t.is(died, 'it used more than 1 s of CPU time');
});

test.serial('that it died is said in words', async t => {
  const dies = async (signal: string) => (await withFakeQemuImg(`kill -${signal} $$`, async () => run())).died;
  t.is(await dies('ABRT'), 'it needed more memory than its limit, or crashed');
  t.is(await dies('SEGV'), 'it was ended by SIGSEGV');
});

test.serial('it is ended when its time is up, and is gone then', async t => {
  let pid = '';
  const started = performance.now();
  const {died} = await withFakeQemuImg('echo $$; exec sleep 60', async () =>
    qemuImg([], {limits: {...checkLimits, timeout: 1000}, signal: never, onOutput: text => (pid = text.trim())}),
  );
  t.is(died, 'it ran for more than 1 s');
  t.true(performance.now() - started < 30_000);
  t.regex(pid, /^\d+$/);
  t.true(isGone(pid));
});

test.serial('it can write no file of this host', async t => {
  await withFakeQemuImg('echo x > "$(dirname "$0")/file"', async directory => {
    const {signal, status} = await run();
    t.true(signal === 'SIGXFSZ' || status !== 0);
    t.true(!existsSync(join(directory, 'file')) || readFileSync(join(directory, 'file')).length === 0);
  });
});

test.serial('an abort kills it, and what is thrown is the reason', async t => {
  const abort = new AbortController();
  const reason = new Error('enough');
  const started = performance.now();
  let pid = '';
  const error = await withFakeQemuImg('echo $$; exec sleep 60', async () => {
    const running = qemuImg([], {
      limits: checkLimits,
      signal: abort.signal,
      onOutput: text => {
        pid = text.trim();
        abort.abort(reason);
      },
    });
    return t.throwsAsync(running);
  });
  t.is(error, reason);
  t.true(performance.now() - started < 30_000);
  t.regex(pid, /^\d+$/);
  t.true(isGone(pid));
});

test.serial('an agent that is killed takes it along', async t => {
  const module = new URL('../../src/convert/run.ts', import.meta.url).href;
  const agent = `
    import {qemuImg} from ${JSON.stringify(module)};
    const limits = ${JSON.stringify(checkLimits)};
    await qemuImg([], {limits, signal: new AbortController().signal, onOutput: text => process.stdout.write(text)});`;
  await withFakeQemuImg('echo $$; exec sleep 60', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', agent], {stdio: ['ignore', 'pipe', 'inherit']});
    const [pid] = await once(child.stdout.setEncoding('utf8'), 'data');
    t.false(isGone(pid.trim()));
    child.kill('SIGKILL');
    await once(child, 'close');
    const started = performance.now();
    while (!isGone(pid.trim())) await sleep(20);
    t.true(performance.now() - started < 30_000);
  });
});

test.serial('aborted before, it is not started', async t => {
  const said: string[] = [];
  const options = {limits: checkLimits, signal: AbortSignal.abort(), onOutput: (text: string) => said.push(text)};
  await withFakeQemuImg('echo started', async () => {
    await t.throwsAsync(qemuImg([], options), {name: 'AbortError'});
    await sleep(200);
  });
  t.deepEqual(said, []);
});

test.serial('its words are kept to a bound', async t => {
  const {stdout, stderr} = await withFakeQemuImg('yes x | head -c 3000000; yes y | head -c 100000 >&2', async () =>
    run(),
  );
  t.true(stdout.length <= MiB);
  t.true(stderr.length <= 4096);
});

test.serial('a host without it is a matter of configuration', async t => {
  const before = process.env['PATH'];
  try {
    for (const path of ['/nowhere', '/tmp']) {
      process.env['PATH'] = path;
      const error = await t.throwsAsync(run(), {instanceOf: CellarError});
      t.is(error?.kind, 'config');
      t.regex(error?.hint ?? '', /install qemu-utils/);
    }
  } finally {
    process.env['PATH'] = before;
  }
});
