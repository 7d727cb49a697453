import {randomBytes} from 'node:crypto';
import test from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {
  NativeCluster,
  NativeHasher,
  NativeImage,
  NativePool,
  NativeWatch,
  NativeWriter,
} from '../../src/rbd/native.ts';
import {connectOptions, eventually, fixture, MiB, newParent, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);

type Open = {
  cluster: NativeCluster;
  pool: NativePool;
  image: NativeImage;
  child: NativeImage;
  writer: NativeWriter;
  hasher: NativeHasher;
};

/** A connection of the test's own, with a parent and a child open. */
async function open(t: Parameters<typeof newParent>[0]): Promise<Open> {
  const cluster = await loadBinding().connect(connectOptions(lab.ceph));
  t.teardown(() => cluster.close());
  const pool = await cluster.openPool(lab.pool.name);
  const image = await newParent(t, pool);
  const name = unique('child');
  await pool.clone(image.name, 'snap', pool, name, {cloneFormat: 2});
  const writer = image.writer({objectSize: 4 * MiB, inFlight: 2, granule: 65_536});
  const hasher = loadBinding().hasher(['sha512']);
  t.teardown(() => hasher.close());
  return {cluster, pool, image, child: await pool.openImage(name), writer, hasher};
}

const lease = {name: 'lease', cookie: 'a', description: '', durationMs: 10_000};

/** Every call, by the handle it is made on. */
const calls: Record<keyof Open, Record<string, (handles: Open) => Promise<unknown>>> = {
  cluster: {
    openPool: ({cluster, pool}) => cluster.openPool(pool.name),
    monCommand: ({cluster}) => cluster.monCommand('{"prefix": "osd dump"}'),
    listPools: ({cluster}) => cluster.listPools(),
  },
  pool: {
    createImage: ({pool}) => pool.createImage(unique(), {size: MiB}),
    openImage: ({pool, image}) => pool.openImage(image.name),
    removeImage: ({pool}) => pool.createImage('gone', {size: MiB}).then(() => pool.removeImage('gone')),
    listImages: ({pool}) => pool.listImages(),
    clone: ({pool, image}) => pool.clone(image.name, 'snap', pool, unique('child')),
    omapGet: ({pool}) => pool.omapGet('object', ['key']),
    omapList: ({pool}) => pool.omapList('object'),
    omapCompareAndSet: ({pool}) => pool.omapCompareAndSet('object', {set: {key: Buffer.from('1')}}),
    createExclusive: ({pool}) => pool.createExclusive(unique('object')),
    statObject: ({pool}) => pool.statObject('object'),
    removeObject: ({pool}) => pool.removeObject('object'),
    listObjects: ({pool}) => pool.listObjects('rbd_'),
    lockExclusive: ({pool}) => pool.lockExclusive(unique('object'), lease),
    unlock: ({pool}) => pool.unlock('object', 'lease', 'a'),
    listLockers: ({pool}) => pool.listLockers('object', 'lease'),
    breakLock: ({pool}) => pool.breakLock('object', 'lease', 'client.1', 'a'),
    removeLocked: ({pool}) => pool.removeLocked('object', 'lease', 'a'),
    watch: ({pool}) => pool.watch('rbd_directory'),
    notify: ({pool}) => pool.notify('rbd_directory', Buffer.from('x'), 1000),
    exec: ({pool}) => pool.exec('rbd_directory', 'rbd', 'dir_list', Buffer.alloc(12)),
  },
  image: {
    info: ({image}) => image.info(),
    read: ({image}) => image.read(0, Buffer.alloc(4 * MiB)),
    write: ({image}) => image.write(0, Buffer.alloc(4 * MiB, 1)),
    writeZeroes: ({image}) => image.writeZeroes(0, MiB),
    discard: ({image}) => image.discard(0, 4 * MiB),
    flush: ({image}) => image.flush(),
    resize: ({image}) => image.resize(64 * MiB),
    createSnapshot: ({image}) => image.createSnapshot('new'),
    protectSnapshot: ({image}) => image.createSnapshot('new').then(() => image.protectSnapshot('new')),
    isSnapshotProtected: ({image}) => image.isSnapshotProtected('snap'),
    unprotectSnapshot: ({image}) => image.unprotectSnapshot('snap'),
    removeSnapshot: ({image}) => image.createSnapshot('new').then(() => image.removeSnapshot('new')),
    listSnapshots: ({image}) => image.listSnapshots(),
    parent: ({image}) => image.parent(),
    children: ({image}) => image.children(),
    hasOwnData: ({image}) => image.hasOwnData(),
    metadata: ({image}) => image.metadata(),
    watchers: ({image}) => image.watchers(),
    readBack: async ({image}) => image.readBack({pieceSize: 4 * MiB, inFlight: 2, granule: 65_536}).result,
  },
  child: {
    flatten: ({child}) => child.flatten(),
  },
  hasher: {
    update: ({hasher}) => hasher.update(Buffer.alloc(16 * MiB, 1)),
    finish: ({hasher}) => hasher.finish(),
  },
  writer: {
    append: ({writer}) => writer.append(Buffer.alloc(16 * MiB, 1)),
    finish: ({writer}) => writer.finish(),
  },
};

/** Calls made of two: the second is not under way yet when close() comes. */
const twoSteps = new Set(['removeImage', 'protectSnapshot', 'removeSnapshot']);

/** Calls whose handle is closed with the one they were made on. */
const opening = new Set(['openPool', 'openImage', 'watch']);

for (const on of ['cluster', 'pool', 'image', 'child', 'writer', 'hasher'] as const) {
  for (const [name, call] of Object.entries(calls[on])) {
    if (!twoSteps.has(name) && !opening.has(name)) {
      test(`close() of the ${on} waits for a pending ${name}()`, async t => {
        const handles = await open(t);
        const settled: string[] = [];
        const pending = call(handles).finally(() => settled.push(name));
        const closed = handles[on].close().finally(() => settled.push('close'));
        await t.notThrowsAsync(pending);
        await closed;
        t.deepEqual(settled, [name, 'close']);
      });
    }

    test(`${name}() after close() of the ${on} is EBADF`, async t => {
      const handles = await open(t);
      await handles[on].close();
      const error = await t.throwsAsync(call(handles), {message: /: Bad file descriptor$/});
      t.like(error, {name: 'RbdError', code: 'EBADF', errno: -9});
    });
  }
}

/** What a handle is asked, to see that it is closed. */
const uses: Record<string, (handle: never) => Promise<unknown>> = {
  openPool: (pool: NativePool) => pool.listImages(),
  openImage: (image: NativeImage) => image.info(),
  watch: (watch: NativeWatch) => watch.next(1000),
};

for (const [name, on] of [
  ['openPool', 'cluster'],
  ['openImage', 'pool'],
  ['watch', 'pool'],
] as const) {
  test(`close() waits for a pending ${name}(), whose handle is closed before anybody has it`, async t => {
    const handles = await open(t);
    // The addon's thread may have opened it by the time of close(), if this one was kept from running: it is closed all the same.
    const used = calls[on][name]?.(handles).then(handle => uses[name]?.(handle as never));
    await Promise.all([
      t.throwsAsync(used as Promise<unknown>, {message: /Bad file descriptor/}),
      t.notThrowsAsync(handles[on].close()),
    ]);
  });
}

test('what was pending at close() has arrived', async t => {
  const {pool, image} = await open(t);
  const bytes = randomBytes(16 * MiB);
  for (let at = 0; at < 16; at++) void image.write(at * MiB, bytes.subarray(at * MiB, (at + 1) * MiB));
  await image.close();
  const again = await pool.openImage(image.name);
  const buffer = Buffer.alloc(16 * MiB);
  await again.read(0, buffer);
  t.true(buffer.equals(bytes));
});

test('close() may be called again, during and after', async t => {
  const {cluster, pool, image, writer} = await open(t);
  for (const handle of [writer, image, pool, cluster]) {
    await Promise.all([handle.close(), handle.close()]);
    await t.notThrowsAsync(handle.close());
  }
});

test('closing a pool closes its images, closing the connection its pools', async t => {
  const {cluster, pool, image, child} = await open(t);
  void image.write(0, Buffer.alloc(MiB));
  await pool.close();
  await rbdFails(t, image.info(), {code: 'EBADF', syscall: 'rbd_stat', message: /Bad file descriptor$/});
  await rbdFails(t, child.info(), {code: 'EBADF', syscall: 'rbd_stat', message: /Bad file descriptor$/});
  const second = await cluster.openPool(lab.pool.name);
  await cluster.close();
  await rbdFails(t, second.listImages(), {code: 'EBADF', syscall: 'rbd_list2', message: /Bad file descriptor$/});
});

test('closing one image leaves the others', async t => {
  const {image, child} = await open(t);
  await image.close();
  await t.notThrowsAsync(child.info());
});

test('a closed image is watched by nobody, so that it can be removed', async t => {
  const {pool, child} = await open(t);
  t.is((await child.watchers()).length, 1);
  await child.close();
  await t.notThrowsAsync(pool.removeImage(child.name));
});

test.serial('counters() count what is under way, and go back to nothing', async t => {
  const {counters} = loadBinding();
  const {pool, image} = await open(t);
  const buffer = Buffer.alloc(4 * MiB, 1);
  const writes = Array.from({length: 32}, () => image.write(0, buffer));
  t.true(counters().inFlight >= 1);
  const lists = Array.from({length: 64}, () => pool.listImages());
  const {queued, running} = counters();
  t.true(queued + running >= 1);
  await Promise.all([...writes, ...lists]);
  t.true(await eventually(() => Object.values(counters()).every(count => count === 0)));
});
