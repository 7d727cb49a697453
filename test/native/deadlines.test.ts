import {createHash, randomBytes} from 'node:crypto';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {type AddressInfo, createServer, type Server} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativePool} from '../../src/rbd/native.ts';
import type {RunningCeph} from '../lab/ceph.ts';
import {privateCeph} from '../lab/shared.ts';
import {connectOptions, type Expected, eventually, MiB, newImage, rbdFails, runFixture, unique} from './helpers.ts';

const {connect} = loadBinding();
const deadlineMs = 2000;
const deadlines = {clientMountTimeoutMs: deadlineMs, osdOpTimeoutMs: deadlineMs, monOpTimeoutMs: deadlineMs};

let ceph: RunningCeph;
test.before(async () => {
  ceph = await privateCeph({pools: ['rbd'], objectstore: 'memstore'});
});
test.after.always(() => ceph?.stop());

/** The call fails with ETIMEDOUT when its deadline is over: not before, and not much later. */
async function timesOut(t: ExecutionContext, call: () => Promise<unknown>, expected: Partial<Expected>, requests = 1) {
  const start = performance.now();
  await rbdFails(t, call(), {code: 'ETIMEDOUT', syscall: '', message: /Connection timed out/, ...expected});
  const ms = performance.now() - start;
  t.true(ms > deadlineMs - 100 && ms < requests * deadlineMs + 8000, `${expected.syscall} took ${Math.round(ms)} ms`);
}

async function openPool(t: ExecutionContext, changes = {}): Promise<NativePool> {
  const cluster = await connect(connectOptions(ceph, {...deadlines, ...changes}));
  t.teardown(() => cluster.close());
  return await cluster.openPool('rbd');
}

/** Runs `body` while a daemon is stopped: it is there, and does not answer. */
async function whileStopped(daemon: 'osd.0' | 'mon.a', body: () => Promise<unknown>): Promise<void> {
  ceph.signal(daemon, 'SIGSTOP');
  try {
    await body();
  } finally {
    ceph.signal(daemon, 'SIGCONT');
  }
}

/** A ceph.conf whose only monitor is this port. */
function confFor(t: ExecutionContext, port: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'cellar-conf-'));
  t.teardown(() => rmSync(directory, {recursive: true}));
  const conf = join(directory, 'ceph.conf');
  writeFileSync(conf, `[global]\nmon host = v2:127.0.0.1:${port}\nkey = AQDdWuBlAAAAABAAqD0lrMLUG6Y4bPSJEqfPmw==\n`);
  return conf;
}

async function listening(t: ExecutionContext): Promise<Server> {
  const server = createServer(() => undefined);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  return server;
}

test.serial('connect() to a monitor that does not answer ends at its deadline', async t => {
  const server = await listening(t);
  const conf = confFor(t, (server.address() as AddressInfo).port);
  await timesOut(t, () => connect(connectOptions({conf}, deadlines)), {syscall: 'rados_connect'});
});

test.serial('connect() to a monitor that is not there ends at its deadline', async t => {
  const conf = confFor(t, 1);
  await timesOut(t, () => connect(connectOptions({conf}, deadlines)), {syscall: 'rados_connect'});
});

test.serial('deadlines are rounded up to whole seconds', async t => {
  const conf = confFor(t, 1);
  const start = performance.now();
  await t.throwsAsync(connect(connectOptions({conf}, {...deadlines, clientMountTimeoutMs: 1001})));
  t.true(performance.now() - start > 1900);
});

test.serial("deadlines win over ceph's options", async t => {
  const conf = confFor(t, 1);
  const options = {client_mount_timeout: '300'};
  await timesOut(t, () => connect(connectOptions({conf}, {...deadlines, options})), {syscall: 'rados_connect'});
});

test.serial('every call to an OSD that does not answer ends at its deadline, and close() too', async t => {
  const pool = await openPool(t);
  const image = await newImage(t, pool);
  await image.write(0, Buffer.alloc(MiB));
  const name = image.name;
  const lease = {name: 'lease', cookie: 'a', description: '', durationMs: 1000};
  await whileStopped('osd.0', async () => {
    await Promise.all([
      timesOut(t, () => image.write(0, Buffer.alloc(MiB)), {syscall: 'rbd_aio_write', image: name}),
      timesOut(t, () => image.read(0, Buffer.alloc(MiB)), {syscall: 'rbd_aio_read', image: name}),
      timesOut(t, () => image.resize(64 * MiB), {syscall: 'rbd_resize2'}, 4),
      timesOut(t, () => pool.openImage(name, {readOnly: true}), {syscall: 'rbd_open_read_only'}),
      timesOut(t, () => pool.createImage(unique(), {size: 1}), {syscall: 'rbd_create4'}),
      timesOut(t, () => pool.removeImage(unique()), {syscall: 'rbd_remove'}),
      timesOut(t, () => pool.listImages(), {syscall: 'rbd_list2'}),
      timesOut(t, () => pool.omapGet('object', ['key']), {syscall: 'rados_read_op_operate'}),
      timesOut(t, () => pool.omapCompareAndSet('object', {}), {syscall: 'rados_write_op_operate2'}),
      timesOut(t, () => pool.lockExclusive('object', lease), {syscall: 'rados_lock_exclusive'}),
      timesOut(t, () => pool.listLockers('object', 'lease'), {syscall: 'rados_list_lockers'}),
      timesOut(t, () => pool.statObject('object'), {syscall: 'rados_stat'}),
      timesOut(t, () => pool.removeObject('object'), {syscall: 'rados_remove'}),
      timesOut(t, () => pool.watch('object'), {syscall: 'rados_watch3'}),
      timesOut(t, () => pool.notify('object', Buffer.from('x'), 500), {syscall: 'rados_aio_notify'}),
      timesOut(t, () => pool.listObjects(''), {syscall: 'rados_nobjects_list_next2'}),
    ]);
    const start = performance.now();
    await Promise.allSettled([image.close(), pool.close()]);
    t.true(performance.now() - start < 10 * deadlineMs);
  });
});

test.serial(
  'a writer takes no more than its objects hold while the OSD does not answer, and goes on when it does',
  async t => {
    const pool = await openPool(t, {osdOpTimeoutMs: 60_000});
    const image = await newImage(t, pool, 64 * MiB);
    await image.write(63 * MiB, Buffer.alloc(1)); // from here on it needs no lock
    const writer = image.writer({objectSize: 4 * MiB, inFlight: 3, granule: 65_536});
    const data = randomBytes(63 * MiB);
    let taken = 0;
    const appends: Promise<unknown>[] = [];
    await whileStopped('osd.0', async () => {
      for (let at = 0; at < data.length; at += MiB) {
        appends.push(writer.append(data.subarray(at, at + MiB)).then(() => taken++));
      }
      await eventually(() => taken >= 16);
      await sleep(500);
      t.is(taken, 16); // 3 objects on their way and one gathered
      t.deepEqual(loadBinding().counters(), {queued: 0, running: 0, inFlight: 3}); // no thread waits
    });
    await Promise.all(appends);
    t.is((await writer.finish()).digests['sha512'], createHash('sha512').update(data).digest('hex'));
    const buffer = Buffer.alloc(data.length);
    await image.read(0, buffer);
    t.true(buffer.equals(data));
  },
);

test.serial('a writer whose OSD does not answer fails with its deadline, and writes nothing more', async t => {
  const pool = await openPool(t);
  const image = await newImage(t, pool, 64 * MiB);
  await image.write(63 * MiB, Buffer.alloc(1));
  const writer = image.writer({objectSize: 4 * MiB, inFlight: 2, granule: 65_536});
  await whileStopped('osd.0', async () => {
    const expected = {syscall: 'rbd_aio_write', image: image.name};
    const appends = Array.from({length: 20}, () => writer.append(Buffer.alloc(MiB, 1)));
    const outcomes = Promise.allSettled(appends);
    await timesOut(t, () => writer.finish(), expected, 2); // the object map's and the object's
    const failed = (await outcomes).map(({status}) => status === 'rejected');
    t.deepEqual(failed, [...Array(12).fill(false), ...Array(8).fill(true)]);
    await rbdFails(t, appends.at(-1) as Promise<void>, {
      code: 'ETIMEDOUT',
      message: /Connection timed out/,
      ...expected,
    });
    t.is(loadBinding().counters().inFlight, 0);
    await t.notThrowsAsync(writer.close());
  });
});

test.serial('twenty watches on an OSD that does not answer are closed in the time of one', async t => {
  const pool = await openPool(t);
  await pool.createExclusive('watched');
  const watches = await Promise.all(Array.from({length: 20}, () => pool.watch('watched')));
  await whileStopped('osd.0', async () => {
    const start = performance.now();
    const outcomes = await Promise.allSettled(watches.map(watch => watch.close()));
    t.true(performance.now() - start < 6 * deadlineMs);
    t.deepEqual(
      outcomes.map(outcome => outcome.status === 'rejected' && outcome.reason.code),
      Array(20).fill('ETIMEDOUT'),
    );
  });
});

test.serial('calls to a monitor that does not answer end at their deadline', async t => {
  const cluster = await connect(connectOptions(ceph, deadlines));
  t.teardown(() => cluster.close());
  await cluster.openPool('rbd'); // from here on it knows the map
  await whileStopped('mon.a', async () => {
    await Promise.all([
      timesOut(t, () => cluster.monCommand('{"prefix": "fsid"}'), {syscall: 'rados_mon_command'}),
      t.notThrowsAsync(cluster.openPool('rbd')),
      timesOut(t, () => cluster.openPool('unknown'), {syscall: 'rados_ioctx_create'}),
    ]);
  });
});

test.serial('digests are made while read-backs wait for an OSD that does not answer', async t => {
  const pool = await openPool(t, {osdOpTimeoutMs: 60_000});
  const image = await newImage(t, pool);
  const settled: string[] = [];
  const results: Promise<unknown>[] = [];
  await whileStopped('osd.0', async () => {
    for (let count = 0; count < 12; count++) {
      const {result} = image.readBack({pieceSize: 4 * MiB, inFlight: 1, granule: 65_536, inPieces: true});
      results.push(result.finally(() => settled.push('read back')));
    }
    const hashing = loadBinding().hasher(['sha512']);
    await hashing.finish();
    settled.push('hashed');
    await hashing.close();
  });
  await Promise.all(results);
  t.is(settled[0], 'hashed');
});

for (const end of ['natural', 'exit']) {
  test.serial(`a process that ends (${end}) while its OSD does not answer, ends`, async t => {
    await whileStopped('osd.0', async () => {
      const {status, signal, ms} = await runFixture('silent', [ceph.conf, 'rbd', end]);
      t.deepEqual({status, signal}, {status: 0, signal: null});
      t.true(ms < 12_000, `it took ${Math.round(ms)} ms`);
    });
  });
}

test.serial('a full cluster answers ENOSPC at once and does not make writes wait', async t => {
  const pool = await openPool(t, {osdOpTimeoutMs: 20_000});
  const image = await newImage(t, pool, 4096 * MiB);
  const setRatio = (kind: string, ratio: string) => ceph.ceph('osd', `set-${kind}-ratio`, ratio);
  for (const kind of ['nearfull', 'backfillfull', 'full']) await setRatio(kind, '0.000001');
  t.teardown(() => setRatio('full', '0.95'));
  const start = performance.now();
  let full = false;
  for (let at = 0; !full && performance.now() - start < 60_000; at++) {
    full = await image.write(at * 4 * MiB, Buffer.alloc(4096)).then(
      () => false,
      error => error.code === 'ENOSPC',
    );
    await new Promise(resolve => setTimeout(resolve, 200));
  }
  t.true(full, 'ENOSPC came');
  await rbdFails(t, pool.createImage(unique(), {size: MiB}), {
    code: 'ENOSPC',
    syscall: 'rbd_create4',
    message: /No space left on device$/,
  });
});
