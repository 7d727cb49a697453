import test from 'ava';
import {fixture, MiB, newImage, newParent, opened, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);

test('listSnapshots() has name, id and size as they were', async t => {
  const image = await newImage(t, lab.pool, MiB);
  t.deepEqual(await image.listSnapshots(), []);
  await image.createSnapshot('one');
  await image.resize(2 * MiB);
  await image.createSnapshot('two');
  const shown = JSON.parse(await lab.ceph.rbd('snap', 'ls', `${lab.pool.name}/${image.name}`, '--format', 'json'));
  t.deepEqual(
    await image.listSnapshots(),
    shown.map(({id, name, size}: {id: number; name: string; size: number}) => ({id, name, size})),
  );
  t.deepEqual(
    shown.map(({size}: {size: number}) => size),
    [MiB, 2 * MiB],
  );
});

test('listSnapshots() has them all when there are more than fit at first', async t => {
  const image = await newImage(t, lab.pool, 0);
  const names = Array.from({length: 20}, (_, index) => `snap-${index + 10}`);
  for (const name of names) await image.createSnapshot(name);
  t.deepEqual(
    (await image.listSnapshots()).map(({name}) => name),
    names,
  );
});

test('createSnapshot() under a name that is taken is EEXIST', async t => {
  const image = await newParent(t, lab.pool);
  await rbdFails(t, image.createSnapshot('snap'), {
    code: 'EEXIST',
    syscall: 'rbd_snap_create',
    snapshot: 'snap',
    message: `rbd_snap_create ${lab.pool.name}/${image.name}@snap: File exists`,
  });
});

test('protectSnapshot() and unprotectSnapshot() are what isSnapshotProtected() tells', async t => {
  const image = await newImage(t, lab.pool);
  await image.createSnapshot('snap');
  t.false(await image.isSnapshotProtected('snap'));
  await image.protectSnapshot('snap');
  t.true(await image.isSnapshotProtected('snap'));
  await image.unprotectSnapshot('snap');
  t.false(await image.isSnapshotProtected('snap'));
});

test('protectSnapshot() twice is EBUSY, unprotectSnapshot() of one that is not protected EINVAL', async t => {
  const image = await newParent(t, lab.pool);
  await rbdFails(t, image.protectSnapshot('snap'), {
    code: 'EBUSY',
    syscall: 'rbd_snap_protect',
    message: /@snap: Device or resource busy$/,
  });
  await image.unprotectSnapshot('snap');
  await rbdFails(t, image.unprotectSnapshot('snap'), {
    code: 'EINVAL',
    syscall: 'rbd_snap_unprotect',
    message: /@snap: Invalid argument$/,
  });
});

test('removeSnapshot() removes it, but not a protected one', async t => {
  const image = await newParent(t, lab.pool);
  await rbdFails(t, image.removeSnapshot('snap'), {
    code: 'EBUSY',
    syscall: 'rbd_snap_remove2',
    message: `rbd_snap_remove2 ${lab.pool.name}/${image.name}@snap: Device or resource busy`,
  });
  await image.unprotectSnapshot('snap');
  await image.removeSnapshot('snap');
  t.deepEqual(await image.listSnapshots(), []);
});

for (const [call, syscall] of [
  ['protectSnapshot', 'rbd_snap_protect'],
  ['unprotectSnapshot', 'rbd_snap_unprotect'],
  ['isSnapshotProtected', 'rbd_snap_is_protected'],
  ['removeSnapshot', 'rbd_snap_remove2'],
] as const) {
  test(`${call}() of a snapshot that is missing is ENOENT`, async t => {
    const image = await newImage(t, lab.pool);
    await rbdFails(t, image[call]('missing'), {
      code: 'ENOENT',
      syscall,
      snapshot: 'missing',
      message: `${syscall} ${lab.pool.name}/${image.name}@missing: No such file or directory`,
    });
  });
}

test('unprotectSnapshot() with a child is EBUSY', async t => {
  const image = await newParent(t, lab.pool);
  await lab.pool.clone(image.name, 'snap', lab.pool, unique('child'), {cloneFormat: 1});
  await rbdFails(t, image.unprotectSnapshot('snap'), {
    code: 'EBUSY',
    syscall: 'rbd_snap_unprotect',
    message: /@snap: Device or resource busy$/,
  });
});

test('a removed snapshot that still has children is not listed: it is in the trash', async t => {
  const image = await newParent(t, lab.pool);
  const child = unique('child');
  await lab.pool.clone(image.name, 'snap', lab.pool, child, {cloneFormat: 2});
  await image.unprotectSnapshot('snap');
  await image.removeSnapshot('snap');
  t.deepEqual(await image.listSnapshots(), []);
  const buffer = Buffer.alloc(6);
  await (await opened(t, lab.pool, child)).read(0, buffer);
  t.is(buffer.toString(), 'parent');
});
