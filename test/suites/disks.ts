/** The contract of `Disks` (src/core/ports.ts), for every implementation. */
import {CellarError} from '../../src/core/errors.ts';
import type {SnapshotSpec} from '../../src/core/ports.ts';
import {freshName, MiB, never, type Subject, type Suite, someBytes} from './subject.ts';

export const disksSuite: Suite = (test, name, makeSubject) => {
  /** A parent, and a name for a clone of it. */
  async function setUp() {
    const subject = await makeSubject();
    const {cell, pools} = subject;
    const data = someBytes();
    const parent: SnapshotSpec = {pool: pools.images, image: freshName('parent'), snapshot: 'snap'};
    await subject.put(parent, data);
    return {subject, disks: cell.disks, data, parent, disk: {pool: pools.disks, name: freshName('disk')}};
  }
  const fresh = ({pools}: Subject) => ({pool: pools.disks, name: freshName('disk')});

  test(`${name}: the fsid is the same whenever it is asked, and lower case`, async t => {
    const {cell} = await makeSubject();
    const fsid = await cell.disks.fsid(never);
    t.regex(fsid, /^[0-9a-f-]{36}$/);
    t.is(await cell.disks.fsid(never), fsid);
  });

  test(`${name}: a snapshot is clonable, with its size; a missing one, image or pool is a no with its reason`, async t => {
    const {disks, parent, data} = await setUp();
    const look = (changes: Partial<SnapshotSpec>) => disks.parentState({...parent, ...changes}, never);
    t.deepEqual(await look({}), {clonable: true, size: data.length});
    const {pool, image} = parent;
    t.deepEqual(await look({snapshot: 'no'}), {clonable: false, why: `there is no ${pool}/${image}@no`});
    t.deepEqual(await look({image: 'no'}), {clonable: false, why: `there is no ${pool}/no@snap`});
    t.deepEqual(await look({pool: 'no'}), {clonable: false, why: 'there is no pool no'});
  });

  test(`${name}: a clone has the bytes, the size and the parent, is listed by it, and holds nothing of its own`, async t => {
    const {subject, disks, data, parent, disk} = await setUp();
    t.is(await disks.clone(parent, disk, never), 'cloned');
    t.deepEqual(await disks.state(disk, never), {
      kind: 'image',
      size: data.length,
      parent,
      registered: true,
      empty: true,
    });
    t.true((await subject.read(disk)).equals(data));
  });

  test(`${name}: a pool is there or not, whatever we may do in it`, async t => {
    const {cell, pools} = await makeSubject();
    t.true(await cell.disks.hasPool(pools.disks, never));
    t.true(await cell.disks.hasPool(pools.images, never));
    t.false(await cell.disks.hasPool(freshName('none'), never));
  });

  test(`${name}: where nothing is, the state is absent; in a pool that is not there it is not found`, async t => {
    const subject = await makeSubject();
    t.deepEqual(await subject.cell.disks.state(fresh(subject), never), {kind: 'absent'});
    const nowhere = subject.cell.disks.state({pool: 'no', name: 'x'}, never);
    t.is((await t.throwsAsync(nowhere, {instanceOf: CellarError}))?.kind, 'not-found');
  });

  test(`${name}: a taken name is not cloned over, whatever stands there`, async t => {
    const {subject, disks, parent, disk} = await setUp();
    const flat = fresh(subject);
    const torn = fresh(subject);
    const precious = Buffer.from('precious');
    await subject.flat(flat, precious);
    await subject.tear(torn);
    await disks.clone(parent, disk, never);
    for (const taken of [disk, flat, torn]) t.is(await disks.clone(parent, taken, never), 'exists');
    t.true((await subject.read(flat)).equals(precious));
    t.is((await disks.state(torn, never)).kind, 'torn');
  });

  test(`${name}: of many clones to one name at once, exactly one is made`, async t => {
    const {subject, disks, data, parent, disk} = await setUp();
    const {other} = subject;
    const all = await Promise.all(
      [disks, other.disks, disks, other.disks].map(each => each.clone(parent, disk, never)),
    );
    t.deepEqual(all.toSorted(), ['cloned', 'exists', 'exists', 'exists']);
    t.true((await subject.read(disk)).equals(data));
  });

  test(`${name}: a clone of what is gone fails with not-found, and leaves nothing`, async t => {
    const {disks, parent, disk} = await setUp();
    for (const changes of [{image: 'no'}, {snapshot: 'no'}, {pool: 'no'}]) {
      const clone = disks.clone({...parent, ...changes}, disk, never);
      t.is((await t.throwsAsync(clone, {instanceOf: CellarError}))?.kind, 'not-found');
      t.deepEqual(await disks.state(disk, never), {kind: 'absent'});
    }
  });

  test(`${name}: with an aborted signal nothing is begun`, async t => {
    const {disks, parent, disk} = await setUp();
    await t.throwsAsync(disks.clone(parent, disk, AbortSignal.abort(new Error('gone'))), {message: 'gone'});
    t.deepEqual(await disks.state(disk, never), {kind: 'absent'});
  });

  test(`${name}: growing adds zeros; to the same or a smaller size it changes nothing`, async t => {
    const {subject, disks, data, parent, disk} = await setUp();
    await disks.clone(parent, disk, never);
    const size = data.length + MiB;
    for (const asked of [size, size, size - 1, 1]) await disks.grow(disk, asked, never);
    t.true((await subject.read(disk)).equals(Buffer.concat([data, Buffer.alloc(MiB)])));
    const state = await disks.state(disk, never);
    t.deepEqual(state, {kind: 'image', size, parent, registered: true, empty: true});
  });

  test(`${name}: growing what is not there fails with not-found`, async t => {
    const subject = await makeSubject();
    const grow = subject.cell.disks.grow(fresh(subject), 1, never);
    t.is((await t.throwsAsync(grow, {instanceOf: CellarError}))?.kind, 'not-found');
  });

  test(`${name}: a clone is completed: grown with zeros, never shrunk, and read back with its parent`, async t => {
    const {subject, disks, data, parent, disk} = await setUp();
    await disks.clone(parent, disk, never);
    const larger = data.length + 20 * MiB + 1; // more objects, and off every boundary
    for (const [asked, size] of [
      [undefined, data.length],
      [1, data.length],
      [data.length, data.length],
      [larger, larger],
      [data.length, larger],
      [undefined, larger],
    ] as const)
      t.deepEqual(await disks.complete(parent, disk, asked, never), {size, parent, registered: true});
    const state = await disks.state(disk, never);
    t.deepEqual(state, {kind: 'image', size: larger, parent, registered: true, empty: true});
    t.true((await subject.read(disk)).equals(Buffer.concat([data, Buffer.alloc(larger - data.length)])));
  });

  test(`${name}: what is read back is what is there, and not what was asked for`, async t => {
    const {subject, disks, data, parent, disk} = await setUp();
    const other = {...parent, image: freshName('other')};
    await subject.put(other, data);
    await disks.clone(other, disk, never);
    t.like(await disks.complete(parent, disk, undefined, never), {parent: other, registered: true});
    const elsewhere = {...parent, pool: disk.pool};
    t.like(await disks.complete(elsewhere, disk, undefined, never), {parent: other, registered: true});
    const flat = fresh(subject);
    await subject.flat(flat, data);
    t.deepEqual(await disks.complete(parent, flat, undefined, never), {
      size: data.length,
      parent: undefined,
      registered: true,
    });
    const torn = fresh(subject);
    await subject.tear(torn);
    for (const absent of [torn, fresh(subject)])
      t.is(await disks.complete(parent, absent, undefined, never), undefined);
  });

  test(`${name}: half a disk is torn, with a reason, and can be removed; absent is fine`, async t => {
    const {subject, disks, data, parent, disk} = await setUp();
    await subject.tear(disk);
    const state = await disks.state(disk, never);
    t.is(state.kind, 'torn');
    t.not(state.kind === 'torn' && state.why, '');
    for (let count = 0; count < 2; count++) {
      await disks.remove(disk, never);
      t.deepEqual(await disks.state(disk, never), {kind: 'absent'});
    }
    t.is(await disks.clone(parent, disk, never), 'cloned');
    t.true((await subject.read(disk)).equals(data));
  });

  test(`${name}: data and snapshots of its own make a disk not empty; without a parent it counts as listed`, async t => {
    const {subject, disks, parent, disk} = await setUp();
    const flat = fresh(subject);
    await subject.flat(flat, Buffer.from('precious'));
    t.deepEqual(await disks.state(flat, never), {
      kind: 'image',
      size: 8,
      parent: undefined,
      registered: true,
      empty: false,
    });
    await disks.clone(parent, disk, never);
    await subject.snapshot(disk, 'mine');
    const state = await disks.state(disk, never);
    t.true(state.kind === 'image' && !state.empty && state.registered);
  });

  test(`${name}: a disk with a snapshot is in use: removing it is a conflict, and it stays`, async t => {
    const {subject, disks, data, parent, disk} = await setUp();
    await disks.clone(parent, disk, never);
    await subject.snapshot(disk, 'mine');
    t.is((await t.throwsAsync(disks.remove(disk, never), {instanceOf: CellarError}))?.kind, 'conflict');
    t.true((await subject.read(disk)).equals(data));
  });

  test(`${name}: a removed clone is gone, and its parent can be cloned again`, async t => {
    const {disks, parent, disk} = await setUp();
    await disks.clone(parent, disk, never);
    await disks.remove(disk, never);
    t.deepEqual(await disks.state(disk, never), {kind: 'absent'});
    t.is(await disks.clone(parent, disk, never), 'cloned');
  });
};
