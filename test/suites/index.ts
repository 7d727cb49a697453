/** The contract of `Index` (src/core/ports.ts), for every implementation. */
import {randomUUID} from 'node:crypto';
import type {Entry} from '../../src/core/entry.ts';
import type {Cell} from '../../src/core/ports.ts';
import {never, type Subject, type Suite, someEntry, someRetired} from './subject.ts';

export const indexSuite: Suite = (test, name, makeSubject) => {
  test(`${name}: what was claimed and published is read, by others too, and its claim is gone`, async t => {
    const {cell, other} = await makeSubject();
    const entry = someEntry();
    t.is(await cell.index.get(entry.image, never), undefined);
    await cell.index.claim(entry.image, entry.generation, never);
    t.true((await other.index.claims(never)).some(({generation}) => generation === entry.generation));
    t.true(await cell.index.publish(entry, undefined, never));
    t.deepEqual(await other.index.get(entry.image, never), entry);
    t.deepEqual(
      (await other.index.list(never)).filter(({image}) => image === entry.image),
      [entry],
    );
    t.false((await other.index.claims(never)).some(({image}) => image === entry.image));
    t.false(await cell.index.publish(entry, entry, never));
  });

  test(`${name}: without a claim, with another's, or with one given up, nothing is published`, async t => {
    const {cell} = await makeSubject();
    const entry = someEntry();
    t.false(await cell.index.publish(entry, undefined, never));
    await cell.index.claim(entry.image, entry.generation, never);
    await cell.index.claim(entry.image, 'of another', never);
    t.false(await cell.index.publish(entry, undefined, never));
    await cell.index.claim(entry.image, entry.generation, never);
    t.true(await cell.index.unclaim(entry.image, entry.generation, never));
    t.false(await cell.index.publish(entry, undefined, never));
    t.is(await cell.index.get(entry.image, never), undefined);
  });

  test(`${name}: unclaiming takes back only one's own`, async t => {
    const {cell} = await makeSubject();
    const entry = someEntry();
    await cell.index.claim(entry.image, entry.generation, never);
    t.false(await cell.index.unclaim(entry.image, 'of another', never));
    t.true(await cell.index.publish(entry, undefined, never));
    t.false(await cell.index.unclaim(entry.image, entry.generation, never));
    t.deepEqual(await cell.index.get(entry.image, never), entry);
  });

  test(`${name}: an entry is replaced only by who knows it: the one that stands, or that there is none`, async t => {
    const {cell, other} = await makeSubject();
    const first = someEntry();
    const second = someEntry({image: first.image});
    await cell.index.claim(first.image, first.generation, never);
    t.false(await cell.index.publish(first, second, never));
    t.true(await cell.index.publish(first, undefined, never));
    await cell.index.claim(first.image, second.generation, never);
    t.false(await cell.index.publish(second, undefined, never));
    t.false(await cell.index.publish(second, {...first, created: 'at another time'}, never));
    t.true(await other.index.publish(second, await other.index.get(first.image, never), never));
    t.deepEqual(await cell.index.get(first.image, never), second);
  });

  test(`${name}: of many commits at once exactly one is applied`, async t => {
    const {cell, other} = await makeSubject();
    const entry = someEntry();
    await cell.index.claim(entry.image, entry.generation, never);
    const all = await Promise.all(
      [cell, other, cell, other].map(({index}, number) =>
        index.publish({...entry, host: `node${number}`}, undefined, never),
      ),
    );
    t.is(all.filter(Boolean).length, 1);
    t.is((await cell.index.get(entry.image, never))?.host, `node${all.indexOf(true)}`);
  });

  /** An entry that is published. */
  const published = async ({cell}: Subject, changes: Partial<Entry> = {}) => {
    const entry = someEntry(changes);
    await cell.index.claim(entry.image, entry.generation, never);
    await cell.index.publish(entry, await cell.index.get(entry.image, never), never);
    return entry;
  };
  const retiredOf = async ({index}: Cell, image: string) =>
    (await index.retired(never)).filter(one => one.image === image);

  test(`${name}: an entry is retired only as it is, and once; its copy is written down in its stead`, async t => {
    const subject = await makeSubject();
    const {cell, other} = subject;
    const entry = await published(subject);
    const retired = someRetired(entry);
    t.false(await cell.index.retire({...entry, host: 'another'}, retired, never));
    t.deepEqual(await cell.index.get(entry.image, never), entry);
    t.deepEqual(await retiredOf(cell, entry.image), []);
    t.true(await cell.index.retire(entry, retired, never));
    t.is(await other.index.get(entry.image, never), undefined);
    t.deepEqual(await retiredOf(other, entry.image), [retired]);
    t.false((await other.index.list(never)).some(({image}) => image === entry.image));
    t.false(await cell.index.retire(entry, {...retired, why: 'again'}, never));
    t.deepEqual(await retiredOf(cell, entry.image), [retired]);
  });

  test(`${name}: of many that retire an entry at once exactly one does`, async t => {
    const subject = await makeSubject();
    const {cell, other} = subject;
    const entry = await published(subject);
    const all = await Promise.all(
      [cell, other, cell, other].map(({index}, number) =>
        index.retire(entry, someRetired(entry, {why: `of ${number}`}), never),
      ),
    );
    t.is(all.filter(Boolean).length, 1);
    t.like(await retiredOf(cell, entry.image), [{why: `of ${all.indexOf(true)}`}]);
  });

  test(`${name}: what is replaced is retired by the commit that replaces it`, async t => {
    const subject = await makeSubject();
    const first = await published(subject);
    const second = await published(subject, {image: first.image});
    t.deepEqual(await subject.cell.index.get(first.image, never), second);
    const [left, ...more] = await retiredOf(subject.other, first.image);
    t.deepEqual(more, []);
    t.like(left, {schema: 1, rbdImage: first.rbdImage, stored: first.stored, quarantined: false});
    t.true(Math.abs(Date.now() - Date.parse(left?.since ?? '')) < 60_000);
  });

  test(`${name}: a retired copy is struck off, or written down anew, only as it is`, async t => {
    const subject = await makeSubject();
    const {cell, other} = subject;
    const entry = await published(subject);
    const retired = someRetired(entry, {quarantined: true});
    await cell.index.retire(entry, retired, never);
    const released = {...retired, quarantined: false};
    t.false(await cell.index.forget(released, never));
    t.true(await other.index.forget(retired, never, released));
    t.deepEqual(await retiredOf(cell, entry.image), [released]);
    t.false(await cell.index.forget(retired, never));
    const [read] = await retiredOf(other, entry.image);
    t.true(read !== undefined && (await other.index.forget(read, never)));
    t.deepEqual(await retiredOf(cell, entry.image), []);
    t.false(await cell.index.forget(released, never));
  });

  test(`${name}: a pin needs no entry, outlives it, and is no entry itself; unpinning is idempotent`, async t => {
    const subject = await makeSubject();
    const {cell, other} = subject;
    const image = randomUUID();
    for (let count = 0; count < 2; count++) await cell.index.pin(image, never);
    t.true((await other.index.pins(never)).includes(image));
    t.is(await cell.index.get(image, never), undefined);
    t.false((await cell.index.list(never)).some(entry => entry.image === image));
    const first = await published(subject, {image});
    t.true(await cell.index.retire(first, someRetired(first), never));
    await published(subject, {image});
    t.is((await other.index.pins(never)).filter(pin => pin === image).length, 1);
    for (let count = 0; count < 2; count++) await other.index.unpin(image, never);
    t.false((await cell.index.pins(never)).includes(image));
  });

  test(`${name}: a pinned entry is spared where that is asked for, in the same op`, async t => {
    const subject = await makeSubject();
    const {cell, other} = subject;
    const entry = await published(subject);
    await other.index.pin(entry.image, never);
    t.false(await cell.index.retire(entry, someRetired(entry), never, {sparePinned: true}));
    t.deepEqual(await cell.index.get(entry.image, never), entry);
    await other.index.unpin(entry.image, never);
    t.true(await cell.index.retire(entry, someRetired(entry), never, {sparePinned: true}));
  });

  test(`${name}: a survey tells in one reading what the lists tell one by one`, async t => {
    const subject = await makeSubject();
    const {cell, other} = subject;
    const [kept, left] = [await published(subject), await published(subject)];
    const retired = someRetired(left);
    await cell.index.retire(left, retired, never);
    await cell.index.pin(kept.image, never);
    await cell.index.claim(left.image, 'the next', never);
    const seen = await other.index.survey(never);
    const of = (images: {image: string}[]) => images.filter(({image}) => [kept.image, left.image].includes(image));
    t.deepEqual(of(seen.entries), [kept]);
    t.deepEqual(of(seen.retired), [retired]);
    t.deepEqual(of(seen.claims), [{image: left.image, generation: 'the next'}]);
    t.true(seen.pins.includes(kept.image));
    t.false(seen.pins.includes(left.image));
    const [entry] = of(seen.entries) as Entry[];
    const mine = entry ?? kept;
    t.true(await other.index.retire(mine, someRetired(mine), never), 'what it tells is good for a compare-and-set');
    await cell.index.unpin(kept.image, never);
    await cell.index.unclaim(left.image, 'the next', never);
  });
};
