import {execFile} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativePool, NativeWatch} from '../../src/rbd/native.ts';
import {connectOptions, eventually, fixture, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);

/** A pool on a connection of the test's own, and how that one is named. */
async function another(t: ExecutionContext): Promise<{pool: NativePool; client: string; close: () => Promise<void>}> {
  const cluster = await loadBinding().connect(connectOptions(lab.ceph));
  t.teardown(() => cluster.close());
  const pool = await cluster.openPool(lab.pool.name);
  return {pool, client: `client.${cluster.instanceId}`, close: () => cluster.close()};
}

/** A new object, and a watch on it by the shared connection. */
async function watched(t: ExecutionContext, options = {}): Promise<{object: string; watch: NativeWatch}> {
  const object = unique('object');
  await lab.pool.createExclusive(object);
  const watch = await lab.pool.watch(object, options);
  t.teardown(() => watch.close());
  return {object, watch};
}

const text = (value: string) => Buffer.from(value);

test('a watcher gets what others tell, in order, byte for byte, and who told it', async t => {
  const {object, watch} = await watched(t);
  const {pool, client} = await another(t);
  const payloads = [text('one'), Buffer.alloc(0), randomBytes(4096), text('four')];
  const first = watch.next(10_000);
  for (const payload of payloads) t.deepEqual(await pool.notify(object, payload, 5000), {acks: 1, timeouts: 0});
  t.deepEqual(await first, {payload: text('one'), notifier: client});
  for (const payload of payloads.slice(1)) {
    const notice = await watch.next(1000);
    t.true(notice?.payload.equals(payload));
    t.is(notice?.notifier, client);
  }
});

test('of a long one the first 4096 bytes are kept, whether somebody waits for it or not', async t => {
  const {object, watch} = await watched(t);
  const {pool} = await another(t);
  const payload = randomBytes(100_000);
  const waiting = watch.next(10_000);
  for (let count = 0; count < 2; count++) t.like(await pool.notify(object, payload, 5000), {acks: 1});
  for (const notice of [await waiting, await watch.next(1000)]) t.deepEqual(notice?.payload, payload.subarray(0, 4096));
});

test('several who wait are answered in the order they asked', async t => {
  const {object, watch} = await watched(t);
  const {pool} = await another(t);
  const waiting = [1, 2, 3].map(() => watch.next(10_000));
  for (const payload of ['a', 'b', 'c']) await pool.notify(object, text(payload), 5000);
  t.deepEqual(
    (await Promise.all(waiting)).map(notice => String(notice?.payload)),
    ['a', 'b', 'c'],
  );
});

test('next() answers undefined when its time is over, not before, and what comes later is for the next one', async t => {
  const {object, watch} = await watched(t);
  const start = performance.now();
  t.is(await watch.next(150), undefined);
  const ms = performance.now() - start;
  t.true(ms >= 149 && ms < 20_000, `${ms} ms`);
  await lab.pool.notify(object, text('later'), 5000);
  t.is(String((await watch.next(0))?.payload), 'later');
  t.is(await watch.next(0), undefined);
});

test('of two who wait only the one whose time is over goes', async t => {
  const {object, watch} = await watched(t);
  const patient = watch.next(10_000);
  t.is(await watch.next(100), undefined);
  await lab.pool.notify(object, text('for the patient'), 5000);
  t.is(String((await patient)?.payload), 'for the patient');
});

test('a timeout of an earlier next() does not end a later one', async t => {
  const {object, watch} = await watched(t);
  for (let count = 0; count < 20; count++) {
    const waiting = watch.next(1000);
    await lab.pool.notify(object, text('now'), 5000);
    t.is(String((await waiting)?.payload), 'now');
  }
  const patient = watch.next(10_000);
  await sleep(1100);
  await lab.pool.notify(object, text('last'), 5000);
  t.is(String((await patient)?.payload), 'last');
});

test('of what nobody asks for the newest 256 are kept', async t => {
  const {object, watch} = await watched(t);
  for (let at = 0; at < 260; at += 20) {
    for (let next = at; next < at + 20; next++) await lab.pool.notify(object, text(String(next)), 5000);
  }
  t.is(String((await watch.next(1000))?.payload), '4');
  for (let left = 1; left < 256; left++) await watch.next(1000);
  t.is(await watch.next(50), undefined);
});

test('a notify counts its watchers, those of its own connection too; without any, and without an object, none', async t => {
  const {object} = await watched(t);
  const {pool} = await another(t);
  const second = await pool.watch(object);
  t.deepEqual(await pool.notify(object, text('x'), 5000), {acks: 2, timeouts: 0});
  await second.close();
  t.deepEqual(await pool.notify(object, text('x'), 5000), {acks: 1, timeouts: 0});
  await lab.pool.createExclusive('unwatched');
  t.deepEqual(await pool.notify('unwatched', text('x'), 5000), {acks: 0, timeouts: 0});
  t.deepEqual(await pool.notify(unique('missing'), text('x'), 5000), {acks: 0, timeouts: 0});
});

test('watch() of a missing object is ENOENT', async t => {
  const object = unique('missing');
  await rbdFails(t, lab.pool.watch(object), {
    code: 'ENOENT',
    syscall: 'rados_watch3',
    message: `rados_watch3 ${lab.pool.name}/${object}: No such file or directory`,
    object,
  });
});

test('when the object is removed, next() fails with ENOTCONN after what was told before, and close() is fine', async t => {
  const {object, watch} = await watched(t);
  const second = await lab.pool.watch(object);
  const pending = second.next(10_000);
  await lab.pool.notify(object, text('before'), 5000);
  t.is(String((await pending)?.payload), 'before');
  const broken = second.next(10_000);
  await lab.pool.removeObject(object);
  const expected = {code: 'ENOTCONN', syscall: 'rados_watch3', message: /not connected$/, object};
  await rbdFails(t, broken, expected);
  await rbdFails(t, second.next(0), expected);
  t.is(String((await watch.next(1000))?.payload), 'before');
  await rbdFails(t, watch.next(10_000), expected);
  await Promise.all([watch.close(), second.close()]);
});

test('a watcher that was blocklisted is told so', async t => {
  const object = unique('object');
  const {pool} = await another(t);
  await lab.pool.createExclusive(object);
  const {cluster} = lab;
  const victim = await loadBinding().connect(connectOptions(lab.ceph));
  t.teardown(() => victim.close());
  const watch = await (await victim.openPool(lab.pool.name)).watch(object);
  const broken = watch.next(30_000);
  const addr = /(?:v1:)?(\S+:0\/\d+)/.exec(victim.addresses[0] ?? '')?.[1];
  await cluster.monCommand(JSON.stringify({prefix: 'osd blocklist', blocklistop: 'add', addr}));
  const error = await t.throwsAsync(broken);
  t.true(['ENOTCONN', 'ESHUTDOWN'].includes((error as NodeJS.ErrnoException).code ?? ''), String(error));
  t.is((await pool.notify(object, text('x'), 500)).acks, 0);
  await t.notThrowsAsync(watch.close().catch(() => {}));
});

test('a dead watcher delays a notify by its timeout and no more, and is counted', async t => {
  const {object, watch} = await watched(t);
  const fixture = new URL('fixtures/watcher.ts', import.meta.url);
  const child = execFile(process.execPath, [fixture.pathname, lab.ceph.conf, lab.pool.name, object]);
  t.teardown(() => child.kill('SIGKILL'));
  await new Promise(resolve => child.stdout?.once('data', resolve));
  t.deepEqual(await lab.pool.notify(object, text('both'), 5000), {acks: 2, timeouts: 0});
  child.kill('SIGSTOP');
  t.true(await eventually(() => readFileSync(`/proc/${child.pid}/stat`, 'utf8').includes(') T ')));
  const start = performance.now();
  t.deepEqual(await lab.pool.notify(object, text('one'), 500), {acks: 1, timeouts: 1}); // to the OSD that is 1 s
  const ms = performance.now() - start;
  t.true(ms > 900 && ms < 4000, `${Math.round(ms)} ms`);
  t.is(String((await watch.next(0))?.payload), 'both');
  t.is(String((await watch.next(0))?.payload), 'one');
});

test('the watch of a client that is gone ends after the timeout it was given', async t => {
  const {object} = await watched(t);
  const fixture = new URL('fixtures/watcher.ts', import.meta.url);
  const child = execFile(process.execPath, [fixture.pathname, lab.ceph.conf, lab.pool.name, object, '2000']);
  await new Promise(resolve => child.stdout?.once('data', resolve));
  t.is((await lab.pool.notify(object, text('both'), 5000)).acks, 2);
  child.kill('SIGKILL');
  const alone = async () => {
    const {acks, timeouts} = await lab.pool.notify(object, text('x'), 500);
    return acks === 1 && timeouts === 0;
  };
  t.true(await eventually(alone));
});

test('close() ends a pending next() with EBADF at once, also by way of the pool and the connection', async t => {
  const object = unique('object');
  await lab.pool.createExclusive(object);
  for (const end of ['watch', 'pool', 'cluster'] as const) {
    const {pool, close} = await another(t);
    const watch = await pool.watch(object);
    const pending = [watch.next(60_000), watch.next(60_000)];
    const failures = Promise.all(
      pending.map(next =>
        rbdFails(t, next, {code: 'EBADF', syscall: 'rados_watch3', message: /Bad file descriptor$/, object}),
      ),
    );
    await {watch: () => watch.close(), pool: () => pool.close(), cluster: close}[end]();
    await failures;
    await rbdFails(t, watch.next(0), {code: 'EBADF', syscall: 'rados_watch3', message: /Bad file descriptor$/});
    await t.notThrowsAsync(watch.close());
  }
  t.deepEqual(await lab.pool.notify(object, text('x'), 5000), {acks: 0, timeouts: 0});
});

test('a hundred watches hear the same, and close together', async t => {
  const {object} = await watched(t);
  const {pool} = await another(t);
  const watches = await Promise.all(Array.from({length: 100}, () => pool.watch(object)));
  t.deepEqual(await lab.pool.notify(object, text('all'), 10_000), {acks: 101, timeouts: 0});
  for (const notice of await Promise.all(watches.map(watch => watch.next(5000)))) t.is(String(notice?.payload), 'all');
  await pool.close();
  t.deepEqual(await lab.pool.notify(object, text('left'), 5000), {acks: 1, timeouts: 0});
});

test('notify() waits in no thread of ours', async t => {
  const {object} = await watched(t);
  const notifies = Array.from({length: 40}, () => lab.pool.notify(object, text('x'), 5000));
  t.true(loadBinding().counters().inFlight >= 1);
  await t.notThrowsAsync(lab.pool.listObjects('none'));
  for (const outcome of await Promise.all(notifies)) t.deepEqual(outcome, {acks: 1, timeouts: 0});
});

test('wrong arguments are refused', async t => {
  const {object, watch} = await watched(t);
  const wrong: [promise: Promise<unknown>, message: RegExp][] = [
    [lab.pool.notify(object, text('x'), 0), /timeoutMs must be from 1 to 2\^32-1/],
    [watch.next(2 ** 31), /timeoutMs is above 2\^31-1/],
    [lab.pool.watch('', {}), /object is empty/],
  ];
  for (const [promise, message] of wrong) await t.throwsAsync(promise, {code: 'EINVAL', message});
  await t.throwsAsync(lab.pool.notify(object, 'x' as never, 1), {instanceOf: TypeError});
  await t.throwsAsync(watch.next(undefined as never), {instanceOf: TypeError, message: /timeoutMs must be a number/});
});
