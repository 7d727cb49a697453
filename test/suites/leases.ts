/** The contract of `Leases` (src/core/ports.ts), for every implementation. */
import type {Follower} from '../../src/core/ports.ts';
import {mostTold} from '../../src/core/ports.ts';
import {freshName, never, type Suite} from './subject.ts';

/** Long enough for any cluster that is alive. */
const patience = 30_000;

/** Listens until this is told. */
async function hears(follower: Follower | undefined, news: string): Promise<boolean> {
  for (;;) {
    const heard = await follower?.next(patience, never);
    if (typeof heard !== 'object') return false;
    if (heard.told === news) return true;
  }
}

export const leasesSuite: Suite = (test, name, makeSubject) => {
  test(`${name}: a lease is held by one; after its release by the next`, async t => {
    const {cell, other} = await makeSubject();
    const lease = freshName('lease');
    t.is(await cell.leases.holder(lease, never), undefined);
    const held = await cell.leases.acquire(lease, never);
    t.false(held?.lost.aborted);
    t.not(await other.leases.holder(lease, never), undefined);
    t.is(await other.leases.acquire(lease, never), undefined);
    t.is(await cell.leases.acquire(lease, never), undefined);
    await held?.release();
    t.is(await cell.leases.holder(lease, never), undefined);
    const next = await other.leases.acquire(lease, never);
    t.not(next, undefined);
    await next?.release();
  });

  test(`${name}: releasing twice takes nothing from the next holder`, async t => {
    const {cell, other} = await makeSubject();
    const lease = freshName('lease');
    const first = await cell.leases.acquire(lease, never);
    await first?.release();
    const next = await other.leases.acquire(lease, never);
    await first?.release();
    t.is(await cell.leases.acquire(lease, never), undefined);
    await next?.release();
  });

  test(`${name}: other names are other leases`, async t => {
    const {cell} = await makeSubject();
    const held = await Promise.all([1, 2].map(() => cell.leases.acquire(freshName('lease'), never)));
    t.false(held.includes(undefined));
    for (const lease of held) await lease?.release();
  });

  test(`${name}: of many who ask at once exactly one gets it`, async t => {
    const {cell, other} = await makeSubject();
    const lease = freshName('lease');
    const all = await Promise.all([cell, other, cell, other, cell].map(({leases}) => leases.acquire(lease, never)));
    t.is(all.filter(Boolean).length, 1);
    for (const held of all) await held?.release();
    t.is(await cell.leases.holder(lease, never), undefined);
  });

  test(`${name}: who follows hears what the holder tells, the newest of it for certain, and who comes later hears that`, async t => {
    const {cell, other} = await makeSubject();
    const lease = freshName('lease');
    const held = await cell.leases.acquire(lease, never);
    held?.tell('nobody follows');
    await using first = await other.leases.follow(lease, never);
    await using second = await other.leases.follow(lease, never);
    for (const news of ['one', 'two', 'thrée']) held?.tell(news);
    t.true(await hears(first, 'thrée'));
    t.true(await hears(second, 'thrée'));
    held?.tell('four');
    t.true(await hears(first, 'four'));
    await using late = await other.leases.follow(lease, never);
    t.true(await hears(late, 'four'));
    await held?.release();
  });

  test(`${name}: who follows hears at once that the lease was given back, and nothing of the next holder`, async t => {
    const {cell, other} = await makeSubject();
    const lease = freshName('lease');
    const held = await cell.leases.acquire(lease, never);
    await using follower = await other.leases.follow(lease, never);
    const waiting = follower?.next(10 * patience, never);
    await held?.release();
    t.is(await waiting, 'ended');
    const next = await cell.leases.acquire(lease, never);
    next?.tell('of the next');
    held?.tell('of the last');
    t.is(await follower?.next(50, never), 'ended');
    await using again = await other.leases.follow(lease, never);
    t.true(await hears(again, 'of the next'));
    await next?.release();
  });

  test(`${name}: a lease that nobody holds is not followed`, async t => {
    const {cell, other} = await makeSubject();
    const lease = freshName('lease');
    t.is(await other.leases.follow(lease, never), undefined);
    const held = await cell.leases.acquire(lease, never);
    await held?.release();
    t.is(await other.leases.follow(lease, never), undefined);
    held?.tell('too late');
  });

  test(`${name}: a follower that hears nothing says so; one that is aborted or disposed of ends at once`, async t => {
    const {cell, other} = await makeSubject();
    const lease = freshName('lease');
    const held = await cell.leases.acquire(lease, never);
    await using follower = await other.leases.follow(lease, never);
    t.is(await follower?.next(20, never), 'nothing');
    const leaver = new AbortController();
    const left = t.throwsAsync(async () => follower?.next(10 * patience, leaver.signal), {message: 'gone'});
    leaver.abort(new Error('gone'));
    await left;
    await t.throwsAsync(async () => follower?.next(10, leaver.signal), {message: 'gone'});
    held?.tell('still');
    t.true(await hears(follower, 'still'), 'aborting one call is not the end of it');
    const waiting = follower?.next(10 * patience, never);
    await follower?.[Symbol.asyncDispose]();
    t.is(await waiting, 'ended');
    t.is(await follower?.next(10, never), 'ended');
    await held?.release();
  });

  test(`${name}: of news that are too long only the beginning is heard`, async t => {
    const {cell, other} = await makeSubject();
    const lease = freshName('lease');
    const held = await cell.leases.acquire(lease, never);
    await using follower = await other.leases.follow(lease, never);
    held?.tell('x'.repeat(mostTold + 1));
    t.true(await hears(follower, 'x'.repeat(mostTold)));
    await held?.release();
  });
};
