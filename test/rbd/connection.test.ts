/** One connection for many calls, on a binding that is told what to answer. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {abortable} from '../../src/core/single-flight.ts';
import {cloneFormat} from '../../src/rbd/clone-format.ts';
import {Connection} from '../../src/rbd/connection.ts';
import {RbdLeases} from '../../src/rbd/leases.ts';
import type {NativeBinding, NativeCluster, NativePool} from '../../src/rbd/native.ts';
import {RbdError} from '../../src/rbd/rbd-error.ts';
import {never} from '../suites/subject.ts';

const connect = {user: 'x', conf: '/etc/ceph/ceph.conf', clientMountTimeoutMs: 1, osdOpTimeoutMs: 1, monOpTimeoutMs: 1};
const errno = (code: string, syscall = 'rbd_list2') => new RbdError({code, errno: -1, syscall, reason: code});

/** Each connect makes one more session; `closed` says which were closed. */
function sessions(pool: Partial<NativePool> = {}, cluster: Partial<NativeCluster> = {}) {
  const closed: number[] = [];
  let opened = 0;
  const binding = {
    connect: async () => {
      const number = ++opened;
      return {
        fsid: `fsid-${number}`,
        openPool: async (name: string) => {
          if (name === 'none') throw errno('ENOENT', 'rados_ioctx_create');
          return {name, number, ...pool};
        },
        close: async () => closed.push(number),
        ...cluster,
      };
    },
  } as unknown as NativeBinding;
  return {binding, closed, opened: () => opened};
}

const numberOf = (pool: NativePool) => (pool as unknown as {number: number}).number;

test('all calls share one session, those that come while it is being made too', async t => {
  const {binding, opened} = sessions();
  const connection = new Connection({binding, connect});
  const numbers = await Promise.all(
    ['a', 'b', 'a'].map(pool => connection.use(pool, never, async each => numberOf(each))),
  );
  t.deepEqual(numbers, [1, 1, 1]);
  t.is(opened(), 1);
});

test('a session that was fenced off is dropped once: calls of it that fail later leave the next session alone', async t => {
  const {binding, closed, opened} = sessions();
  const connection = new Connection({binding, connect});
  const late = Promise.withResolvers<never>();
  const slow = connection.use('a', never, () => late.promise);
  await t.throwsAsync(
    connection.use('a', never, () => Promise.reject(errno('ESHUTDOWN'))),
    {instanceOf: CellarError},
  );
  t.is(await connection.use('a', never, async pool => numberOf(pool)), 2);
  late.reject(errno('ESHUTDOWN'));
  await t.throwsAsync(slow, {instanceOf: CellarError});
  t.is(await connection.use('a', never, async pool => numberOf(pool)), 2);
  t.is(opened(), 2);
  await connection.close();
  t.deepEqual(closed, [1, 2]);
});

test('other failures keep the session, and a pool that was not there is looked for again', async t => {
  const {binding, opened} = sessions();
  const connection = new Connection({binding, connect});
  await t.throwsAsync(
    connection.use('a', never, () => Promise.reject(errno('ETIMEDOUT'))),
    {instanceOf: CellarError},
  );
  for (let count = 0; count < 2; count++) {
    const error = await t.throwsAsync(
      connection.use('none', never, async () => {}),
      {instanceOf: CellarError},
    );
    t.is(error?.kind, 'not-found');
  }
  t.is(opened(), 1);
});

test('a cluster that is not the pinned one is refused, and its session closed', async t => {
  const {binding, closed} = sessions();
  const connection = new Connection({binding, connect, expectedFsid: 'mine'});
  const error = await t.throwsAsync(connection.cluster(never), {instanceOf: CellarError});
  t.is(error?.kind, 'config');
  t.regex(error?.message ?? '', /leads to the cluster fsid-1, but \[cell\] expected_fsid is mine/);
  t.deepEqual(closed, [1]);
});

test('a connect that failed is tried again by the next call; after close nothing is', async t => {
  const {binding, opened} = sessions();
  let down = true;
  const connection = new Connection({
    connect,
    binding: {...binding, connect: options => (down ? Promise.reject(errno('ETIMEDOUT')) : binding.connect(options))},
  });
  const error = await t.throwsAsync(connection.cluster(never), {instanceOf: CellarError});
  t.is(error?.kind, 'timeout');
  t.regex(error?.hint ?? '', /monitors are up/);
  down = false;
  t.is((await connection.cluster(never)).fsid, 'fsid-1');
  await connection.close();
  await connection.close();
  t.is((await t.throwsAsync(connection.cluster(never), {instanceOf: CellarError}))?.kind, 'cancelled');
  t.is(opened(), 1);
});

test('who asks for the clone format first and leaves does not take the others along', async t => {
  const answer = Promise.withResolvers<void>();
  const {binding} = sessions();
  const slow = {
    ...binding,
    connect: async (...args: Parameters<NativeBinding['connect']>) => {
      await answer.promise;
      return {
        ...(await binding.connect(...args)),
        monCommand: async () => ({output: Buffer.from('nautilus\n'), status: ''}),
      };
    },
  };
  const format = cloneFormat('auto', new Connection({binding: slow, connect}));
  const leaver = new AbortController();
  const left = t.throwsAsync(format(leaver.signal), {message: 'gone'});
  const stays = format(never);
  leaver.abort(new Error('gone'));
  await left;
  answer.resolve();
  t.is(await stays, 2);
});

for (const [release, expected] of [
  ['luminous', 1],
  ['mimic', 2],
  ['jewel', 1],
  ['squid', 2],
] as const) {
  test(`a cluster that lets in clients from ${release} on gets clones of format ${expected}`, async t => {
    const {binding} = sessions({}, {monCommand: async () => ({output: Buffer.from(`${release}\n`), status: ''})});
    t.is(await cloneFormat('auto', new Connection({binding, connect}))(never), expected);
  });
}

test('a lease counts from when it was asked for: a slow answer does not make it longer', async t => {
  const duration = 4000;
  let calls = 0;
  const lockExclusive = async () => {
    if (calls++ === 0) await sleep(duration * 0.7);
    else await sleep(60_000, undefined, {ref: false});
    return true;
  };
  const {binding} = sessions({lockExclusive, removeLocked: async () => true});
  const leases = new RbdLeases({connection: new Connection({binding, connect}), pool: 'a', duration, holder: 'me'});
  const asked = performance.now();
  const lease = await leases.acquire('x', never);
  await t.throwsAsync(abortable(new Promise(() => {}), lease?.lost ?? never), {message: /was lost/});
  t.true(performance.now() - asked < duration * 1.2, `${performance.now() - asked}`);
  await lease?.release();
});
