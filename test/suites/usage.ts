/** The contract of `Usage` (src/core/ports.ts), for every implementation. */
import {randomUUID} from 'node:crypto';
import {never, type Suite} from './subject.ts';

export const usageSuite: Suite = (test, name, makeSubject) => {
  test(`${name}: uses are written together, and read by others`, async t => {
    const {cell, other} = await makeSubject();
    const [first, second] = [randomUUID(), randomUUID()];
    await cell.usage.touch(
      new Map([
        [first, 1000],
        [second, 2000],
      ]),
      never,
    );
    const all = await other.usage.list(never);
    t.deepEqual([all.get(first), all.get(second)], [1000, 2000]);
  });

  test(`${name}: a later use that is written down already stays`, async t => {
    const {cell, other} = await makeSubject();
    const image = randomUUID();
    for (const at of [5000, 4000, 6000, 5999]) await cell.usage.touch(new Map([[image, at]]), never);
    t.is((await other.usage.list(never)).get(image), 6000);
  });

  test(`${name}: forgotten uses are gone, the others stay; nothing to write or forget is fine`, async t => {
    const {cell, other} = await makeSubject();
    const [kept, gone] = [randomUUID(), randomUUID()];
    for (const image of [kept, gone]) await cell.usage.touch(new Map([[image, 7]]), never);
    await other.usage.forget([gone, randomUUID()], never);
    await other.usage.forget([], never);
    await other.usage.touch(new Map(), never);
    const all = await cell.usage.list(never);
    t.deepEqual([all.get(kept), all.get(gone)], [7, undefined]);
  });
};
