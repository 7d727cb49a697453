/** The contract of `Index` (src/core/ports.ts), for every implementation. */
import {never, type Suite, someEntry} from './subject.ts';

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
    await cell.index.unclaim(entry.image, entry.generation, never);
    t.false(await cell.index.publish(entry, undefined, never));
    t.is(await cell.index.get(entry.image, never), undefined);
  });

  test(`${name}: unclaiming takes back only one's own`, async t => {
    const {cell} = await makeSubject();
    const entry = someEntry();
    await cell.index.claim(entry.image, entry.generation, never);
    await cell.index.unclaim(entry.image, 'of another', never);
    t.true(await cell.index.publish(entry, undefined, never));
    await cell.index.unclaim(entry.image, entry.generation, never);
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

  test(`${name}: an entry is taken out only as it is, and once`, async t => {
    const {cell} = await makeSubject();
    const entry = someEntry();
    await cell.index.claim(entry.image, entry.generation, never);
    await cell.index.publish(entry, undefined, never);
    t.false(await cell.index.remove({...entry, host: 'another'}, never));
    t.deepEqual(await cell.index.get(entry.image, never), entry);
    t.true(await cell.index.remove(entry, never));
    t.is(await cell.index.get(entry.image, never), undefined);
    t.false(await cell.index.remove(entry, never));
  });
};
