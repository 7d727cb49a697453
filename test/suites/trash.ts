/** The contract of `Trash` (src/core/ports.ts), for every implementation. */
import {freshName, never, type Suite} from './subject.ts';

export const trashSuite: Suite = (test, name, makeSubject) => {
  test(`${name}: a removal that was broken off is seen by the disk's name, and removing the disk goes on with it`, async t => {
    const {cell, other, pools, flat, halfRemove} = await makeSubject();
    const [disk, whole] = [freshName('disk'), freshName('disk')].map(name => ({pool: pools.disks, name}));
    if (disk === undefined || whole === undefined) return t.fail();
    for (const one of [disk, whole]) await flat(one, Buffer.from('x'));
    t.false(await cell.trash.holds(disk, never));
    await halfRemove(disk);
    t.true(await other.trash.holds(disk, never));
    t.false(await cell.trash.holds(whole, never));
    t.is((await cell.disks.state(disk, never)).kind, 'absent');
    await cell.disks.remove(disk, never);
    t.false(await cell.trash.holds(disk, never));
    t.is((await cell.disks.state(whole, never)).kind, 'image');
  });
};
