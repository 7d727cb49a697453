/** Leases in real time, on the OSD's clock. */
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {abortable} from '../../src/core/single-flight.ts';
import {freshName, never} from '../suites/subject.ts';
import {agentProcess} from './agent-process.ts';
import {realCell} from './real-cell.ts';

const leaseDuration = 3000;
const subject = realCell(test, {leaseDuration});

test('a lease that is held is renewed for longer than it lasts', async t => {
  const {cell, other} = await subject();
  const name = freshName('lease');
  const lease = await cell.leases.acquire(name, never);
  for (const end = performance.now() + 2 * leaseDuration; performance.now() < end; ) {
    t.is(await other.leases.acquire(name, never), undefined);
    await sleep(300);
  }
  t.false(lease?.lost.aborted);
  await lease?.release();
});

test('the lease of a holder that died ends by itself, not before its duration and soon after', async t => {
  const {cell, pools, user} = await subject();
  const name = freshName('lease');
  const holder = await agentProcess({user, pool: pools.cache, leaseDuration, hold: name});
  t.teardown(holder.kill);
  t.is(await cell.leases.acquire(name, never), undefined);
  await holder.kill();
  t.is(await cell.leases.acquire(name, never), undefined);
  const died = performance.now();
  for (;;) {
    const lease = await cell.leases.acquire(name, never);
    if (lease !== undefined) {
      await lease.release();
      break;
    }
    t.true(performance.now() - died < 3 * leaseDuration);
    await sleep(100);
  }
});

for (const how of ['broken', 'removed'] as const) {
  test(`when a lease is ${how} under its holder, the holder hears of it, and its release takes nothing from the next`, async t => {
    const real = await subject();
    const lost: string[] = [];
    const cell = real.agent({leaseDuration, onLeaseLost: name => lost.push(name)});
    const name = freshName('lease');
    const lease = await cell.leases.acquire(name, never);
    const pool = await real.admin(real.pools.cache);
    if (how === 'removed') await pool.removeObject(name);
    else {
      const [locker] = (await pool.listLockers(name, 'cellar')).lockers;
      t.true(await pool.breakLock(name, 'cellar', locker?.client ?? '', locker?.cookie ?? ''));
    }
    await pool.close();
    const next = await real.other.leases.acquire(name, never);
    t.not(next, undefined);
    await t.throwsAsync(abortable(new Promise(() => {}), lease?.lost ?? never), {message: /was lost/});
    t.deepEqual(lost, [name]);
    await lease?.release();
    t.is(await cell.leases.acquire(name, never), undefined);
    t.false(next?.lost.aborted);
    await next?.release();
  });
}

test('releasing removes the object: nothing of a lease is left in the pool', async t => {
  const {cell, rados, pools} = await subject();
  const name = freshName('lease');
  const lease = await cell.leases.acquire(name, never);
  t.true((await rados(pools.cache, 'ls')).split('\n').includes(name));
  await lease?.release();
  t.false((await rados(pools.cache, 'ls')).split('\n').includes(name));
});
