/** The contract of `Intents` (src/core/ports.ts), for every implementation. */
import {freshName, never, type Suite, someIntent} from './subject.ts';

export const intentsSuite: Suite = (test, name, makeSubject) => {
  const fresh = (prefix = 'disk') => ({pool: 'vms', name: freshName(prefix)});

  test(`${name}: what was put is read by others, listed with its disk, and gone once it is cleared`, async t => {
    const {cell, other} = await makeSubject();
    const disk = fresh('a disk, "quoted" ß%2F');
    const intent = someIntent();
    t.is(await cell.intents.get(disk, never), undefined);
    t.true(await cell.intents.put(disk, intent, undefined, never));
    t.deepEqual(await other.intents.get(disk, never), intent);
    const listed = (await other.intents.list(never)).filter(each => each.disk.name === disk.name);
    t.deepEqual(listed, [{disk, intent}]);
    t.true(await other.intents.clear(disk, intent, never));
    t.is(await cell.intents.get(disk, never), undefined);
    t.false(await cell.intents.clear(disk, intent, never));
  });

  test(`${name}: an intent is replaced only by who knows it, and cleared only as it is`, async t => {
    const {cell, other} = await makeSubject();
    const disk = fresh();
    const [first, second] = [someIntent(), someIntent()];
    t.false(await cell.intents.put(disk, first, second, never));
    t.true(await cell.intents.put(disk, first, undefined, never));
    t.false(await other.intents.put(disk, second, undefined, never));
    t.false(await other.intents.put(disk, second, {...first, run: 'another'}, never));
    t.false(await other.intents.clear(disk, second, never));
    t.true(await other.intents.put(disk, second, await other.intents.get(disk, never), never));
    t.false(await cell.intents.clear(disk, first, never));
    t.deepEqual(await cell.intents.get(disk, never), second);
    t.true(await cell.intents.clear(disk, second, never));
  });

  test(`${name}: of many who put at once exactly one does`, async t => {
    const {cell, other} = await makeSubject();
    const disk = fresh();
    const all = await Promise.all(
      [cell, other, cell].map(({intents}) => intents.put(disk, someIntent(), undefined, never)),
    );
    t.is(all.filter(Boolean).length, 1);
  });

  test(`${name}: the same name in another pool is another disk`, async t => {
    const {cell} = await makeSubject();
    const disk = fresh();
    await cell.intents.put(disk, someIntent(), undefined, never);
    t.is(await cell.intents.get({...disk, pool: 'volumes'}, never), undefined);
  });
};
