/** The life of copies on real Ceph: read back, evicted under way, removed at last, and what a removal that died leaves. */
import {randomBytes, randomUUID} from 'node:crypto';
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import * as cache from '../../src/core/cache.ts';
import {copyName, fillLease} from '../../src/core/fill.ts';
import {sweep} from '../../src/core/janitor.ts';
import {recover} from '../../src/core/recover.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativeBinding} from '../../src/rbd/native.ts';
import {RbdError} from '../../src/rbd/rbd-error.ts';
import {temporaryFolder} from '../api/temporary-folder.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, never, someBytes} from '../suites/subject.ts';
import {agentProcess} from './agent-process.ts';
import {beingRemoved, cloneByHand, idOf, protection, withoutHeader} from './by-hand.ts';
import {realCell} from './real-cell.ts';

const leaseDuration = 2000;
const subject = realCell(test, {leaseDuration, busyTimeout: 500});

/** An image in the cache, prefetched. */
async function cached() {
  const real = await subject();
  const images = new FakeImages();
  const data = someBytes();
  const {id} = images.add(data);
  const world = makeWorld(real.cell, images);
  await cache.prefetch(id, {}, world, {signal: never});
  const copy = await cache.showCopy(id, world, never);
  const parent = {pool: real.pools.cache, image: copy.rbdImage, snapshot: 'snap'};
  return {real, images, data, id, world, copy, parent};
}

test.serial(
  'one flipped byte in one object is found, and the copy is quarantined until it is evicted by hand',
  async t => {
    const {real, data, id, world, copy} = await cached();
    const {cache: pool} = real.pools;
    t.true((await cache.verify(id, world, {signal: never})).intact);
    const inPieces = async () => {
      const {digest} = await real.cell.copies.digest(copy.rbdImage, 'snap', never, {form: 'pieces'});
      return digest;
    };
    const before = await inPieces();
    const object = `rbd_data.${await idOf(real, {pool, name: copy.rbdImage})}.0000000000000000`;
    const bytes = Buffer.from(data.subarray(0, 1000));
    bytes[500] = (bytes[500] ?? 0) ^ 1;
    const file = join(await temporaryFolder(), 'object');
    await writeFile(file, bytes);
    await real.rados(pool, 'put', object, file);
    t.not(await inPieces(), before);
    t.false((await cache.verify(id, world, {signal: never})).intact);
    t.like(
      (await cache.listCopies(world, never)).retired.filter(({image}) => image === id),
      [{quarantined: true}],
    );
    await sweep(world, never);
    t.true((await real.cell.copies.list(never)).includes(copy.rbdImage));
    const disk = {pool: real.pools.disks, name: freshName('disk')};
    t.is((await resolve(world, {image: id, ...disk})).outcome, 'filled');
    t.true((await real.read(disk)).equals(data));
    t.true((await cache.evict(id, world, never)).evicted);
    await sweep(world, never);
    t.false((await real.cell.copies.list(never)).includes(copy.rbdImage));
    t.true((await real.read(disk)).equals(data));
  },
);

test.serial('clones of format 1 succeed while somebody tries to unprotect a snapshot that has one', async t => {
  const {real, parent} = await cached();
  const {agent, admin, pools} = real;
  const {disks} = agent({cloneFormat: '1'});
  t.is(await disks.clone(parent, {pool: pools.disks, name: freshName('first')}, never), 'cloned');
  const pool = await admin(pools.cache);
  const image = await pool.openImage(parent.image);
  let ended = false;
  const unprotecting = async () => {
    for (let tries = 0; ; tries++) {
      if (ended) return tries;
      await t.throwsAsync(image.unprotectSnapshot(parent.snapshot), {code: 'EBUSY'});
      await sleep(20);
    }
  };
  const tries = unprotecting();
  try {
    for (let count = 0; count < 20; count++) {
      t.is(await disks.clone(parent, {pool: pools.disks, name: freshName('disk')}, never), 'cloned');
      t.true((await disks.parentState(parent, never)).clonable);
    }
  } finally {
    ended = true;
  }
  t.true((await tries) > 10);
  await image.close();
  const mark = await protection(real, parent);
  await mark.unprotecting(); // as it stands while librbd looks through many pools
  const [state, cloned] = [
    disks.parentState(parent, never),
    disks.clone(parent, {pool: pools.disks, name: freshName('slow')}, never),
  ];
  await sleep(600);
  await mark.protected();
  t.true((await state).clonable);
  t.is(await cloned, 'cloned');
  await mark.unprotecting();
  t.false((await disks.parentState(parent, never)).clonable, 'one that stays so is believed in the end');
  await mark.protected();
  await mark.close();
});

/** The addon, whose first clone does something else. */
function withFirstClone(act: () => Promise<never>): NativeBinding {
  const binding = loadBinding();
  let first = true;
  const connect: NativeBinding['connect'] = async options => {
    const cluster = await binding.connect(options);
    const open = cluster.openPool.bind(cluster);
    const openPool: typeof open = async (...args) => {
      const pool = await open(...args);
      const clone = pool.clone.bind(pool);
      const value: typeof clone = (...args) => {
        if (!first) return clone(...args);
        first = false;
        return act();
      };
      return Object.defineProperty(pool, 'clone', {value});
    };
    return Object.defineProperty(cluster, 'openPool', {value: openPool});
  };
  return {...binding, connect};
}

test.serial(
  'a clone of format 1 that fails half-way over an attempt to unprotect its parent is taken away again',
  async t => {
    const {real, images, id} = await cached();
    const disk = {pool: real.pools.disks, name: freshName('half')};
    const binding = withFirstClone(async () => {
      await withoutHeader(real, disk);
      throw new RbdError({code: 'EINVAL', errno: -22, syscall: 'rbd_clone3', reason: 'Invalid argument'});
    });
    const cell = real.agent({cloneFormat: '1', binding});
    await t.throwsAsync(resolve(makeWorld(cell, images), {image: id, ...disk}), {message: /rbd_clone3/});
    t.is((await cell.disks.state(disk, never)).kind, 'absent');
    t.is(await cell.intents.get(disk, never), undefined);
  },
);

for (const cloneFormat of ['1', '2'] as const) {
  test.serial(
    `evicted and removed without any grace while disks are made (clone format ${cloneFormat}): every disk is whole`,
    async t => {
      const {pools, read, agent, cell} = await subject();
      const images = new FakeImages();
      const data = randomBytes(200_000);
      const {id} = images.add(data);
      const [maker, sweeper] = ['node1', 'node2'].map(host =>
        makeWorld(agent({cloneFormat}), images, {waitPoll: 20, host}),
      );
      if (!maker || !sweeper) return t.fail();
      const disks = Array.from({length: 24}, (_, number) => ({pool: pools.disks, name: freshName(`race${number}`)}));
      let making = true;
      const gone = Promise.withResolvers<void>();
      const evicting = (async () => {
        for (; making; await sleep(Math.random() * 60)) {
          if ((await cache.evict(id, sweeper, never)).evicted) gone.resolve();
          await sweep(sweeper, never);
        }
      })();
      const queue = [...disks];
      const outcomes: string[] = [];
      const make = async () => {
        for (let disk = queue.pop(); disk !== undefined; disk = queue.pop()) {
          if (queue.length < 4) await gone.promise; // however quick the others were, these need it once more
          outcomes.push((await resolve(maker, {image: id, ...disk})).outcome);
        }
      };
      try {
        await Promise.all([make(), make(), make(), make()]);
      } finally {
        making = false;
        await evicting;
      }
      t.log(`${images.downloads.length} fills, ${outcomes.length} disks`);
      t.true(images.downloads.length > 1);
      for (const disk of disks) {
        t.true((await read(disk)).equals(data), disk.name);
        const state = await cell.disks.state(disk, never);
        t.true(state.kind === 'image' && state.registered && state.parent !== undefined);
      }
      for (const disk of disks) await cell.disks.remove(disk, never);
      await cache.evict(id, sweeper, never);
      await sweep(sweeper, never);
      t.deepEqual(
        (await cell.copies.list(never)).filter(name => name.startsWith(id)),
        [],
      );
      t.deepEqual(
        (await cell.index.retired(never)).filter(({image}) => image === id),
        [],
      );
      t.deepEqual(
        (await cell.intents.list(never)).filter(({intent}) => intent.image === id),
        [],
      );
    },
  );

  test.serial(`a clone of format ${cloneFormat} in a pool that the agent may not read keeps the copy`, async t => {
    const {real, id, world, copy, parent} = await cached();
    const pool = await real.ceph.createPool('foreign');
    t.teardown(() => real.ceph.removePool(pool));
    await cloneByHand(real, parent, {pool, name: 'volume'}, cloneFormat === '1' ? 1 : 2);
    t.true(await real.cell.copies.hasClones(copy.rbdImage, never));
    await cache.evict(id, world, never);
    await sweep(world, never);
    t.true((await real.cell.copies.list(never)).includes(copy.rbdImage));
    t.true((await real.cell.index.retired(never)).some(({rbdImage}) => rbdImage === copy.rbdImage));
    await real.ceph.rbd('rm', '--no-progress', `${pool}/volume`);
    await sweep(world, never);
    t.false((await real.cell.copies.list(never)).includes(copy.rbdImage));
  });
}

test.serial('a removal that was killed half-way is listed, and the next one goes on with it', async t => {
  const real = await subject();
  const {cell, pools, rados} = real;
  const name = copyName(randomUUID(), '0123456789abcdef');
  const disk = {pool: pools.cache, name};
  await real.flat(disk, someBytes());
  const id = await idOf(real, disk);
  await beingRemoved(real, disk);
  t.true((await cell.copies.list(never)).includes(name));
  await recover(makeWorld(cell, new FakeImages()), never);
  t.false((await cell.copies.list(never)).includes(name));
  t.false((await rados(pools.cache, 'ls')).includes(id));
  t.is(await rados(pools.cache, 'listomapkeys', 'rbd_trash'), '');
});

test.serial('a copy whose bytes cannot be hashed is not left open: it can be removed at once', async t => {
  const {cell} = await subject();
  const name = copyName(randomUUID(), '0123456789abcdef');
  await t.throwsAsync(cell.copies.create(name, 1, never, {digests: ['md6']}), {message: /there is no digest md6/});
  await cell.copies.remove(name, never);
  t.false((await cell.copies.list(never)).includes(name));
});

test.serial('what an operator put in the trash is not ours', async t => {
  const {real, copy} = await cached();
  const {cache: pool} = real.pools;
  await real.flat({pool, name: 'golden'}, Buffer.from('x'));
  await real.ceph.rbd('trash', 'mv', `${pool}/golden`);
  const names = await real.cell.copies.list(never);
  t.false(names.includes('golden'));
  t.true(names.includes(copy.rbdImage));
});

test.serial('the object of a lease that a killed filler left is removed when it has ended, not sooner', async t => {
  const {cell, pools, user, rados} = await subject();
  const image = randomUUID();
  const process = await agentProcess({user, pool: pools.cache, leaseDuration, hold: fillLease(image)});
  const world = makeWorld(cell, new FakeImages());
  await sweep(world, never);
  t.true((await rados(pools.cache, 'ls')).includes(fillLease(image)));
  await process.kill();
  await sleep(leaseDuration + 500);
  await sweep(world, never);
  t.false((await rados(pools.cache, 'ls')).includes(fillLease(image)));
});
