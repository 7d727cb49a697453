/** A notify that the OSD took and does not end: it waits for a watcher that hangs, and then it hangs itself. */
import {type ChildProcess, execFile} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import test, {type ExecutionContext} from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativeCluster, NativeWatch} from '../../src/rbd/native.ts';
import type {RunningCeph} from '../lab/ceph.ts';
import {privateCeph} from '../lab/shared.ts';
import {connectOptions, eventually, rbdFails, unique} from './helpers.ts';

let ceph: RunningCeph;
test.before(async () => {
  ceph = await privateCeph({pools: ['rbd'], objectstore: 'memstore'});
});
test.after.always(() => ceph?.stop());

async function connection(t: ExecutionContext): Promise<NativeCluster> {
  const cluster = await loadBinding().connect(connectOptions(ceph, {osdOpTimeoutMs: 2000}));
  t.teardown(() => cluster.close());
  return cluster;
}

function start(t: ExecutionContext, fixture: string, ...args: string[]): ChildProcess {
  const {pathname} = new URL(`fixtures/${fixture}.ts`, import.meta.url);
  const child = execFile(process.execPath, [pathname, ceph.conf, 'rbd', ...args]);
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

/** An object with two watchers: a process that hangs, and one that hears when the OSD has taken a notify. */
async function watched(t: ExecutionContext): Promise<{object: string; watch: NativeWatch}> {
  const object = unique('object');
  const pool = await (await connection(t)).openPool('rbd');
  await pool.createExclusive(object);
  const child = start(t, 'watcher', object);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.kill('SIGSTOP');
  t.true(await eventually(() => readFileSync(`/proc/${child.pid}/stat`, 'utf8').includes(') T ')));
  return {object, watch: await pool.watch(object)};
}

async function whileStopped(body: () => Promise<unknown>): Promise<void> {
  ceph.signal('osd.0', 'SIGSTOP');
  try {
    await body();
  } finally {
    ceph.signal('osd.0', 'SIGCONT');
  }
}

test.serial(
  'a notify that the OSD does not end fails at its deadline, and then its pool and its connection can be closed',
  async t => {
    const {object, watch} = await watched(t);
    const [kept, closed] = await Promise.all([connection(t), connection(t)]);
    const pools = await Promise.all([kept, closed].map(cluster => cluster.openPool('rbd')));
    const told = pools.map(pool => pool.notify(object, Buffer.from('x'), 4000));
    for (const _ of told) t.is(String((await watch.next(60_000))?.payload), 'x');
    await whileStopped(async () => {
      const closing = closed.close();
      for (const notify of told) {
        await rbdFails(t, notify, {
          code: 'ETIMEDOUT',
          syscall: 'rados_aio_notify',
          object,
          message: /Connection timed out$/,
        });
      }
      await Promise.all([closing, pools[0]?.close()]);
      t.is(loadBinding().counters().inFlight, 0);
    });
    const pool = await kept.openPool('rbd');
    await t.notThrowsAsync(pool.notify(object, Buffer.from('y'), 1000)); // the OSD ended the first one before
  },
);

test.serial('the end of a worker does not wait for a notify that the OSD does not end', async t => {
  const {object, watch} = await watched(t);
  const child = start(t, 'notifier', object);
  const ended = once(child, 'exit');
  t.is(String((await watch.next(60_000))?.payload), 'x');
  await whileStopped(async () => {
    child.stdin?.write('end');
    t.deepEqual(await ended, [0, null]);
  });
});
