/** The contract of `Leases` (src/core/ports.ts), for every implementation. */
import {freshName, never, type Suite} from './subject.ts';

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
};
