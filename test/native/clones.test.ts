import test from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import {connectOptions, fixture, MiB, newImage, newParent, opened, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);

test('a clone has the bytes of its parent, and its own once written', async t => {
  const parent = await newParent(t, lab.pool);
  const name = unique('child');
  await lab.pool.clone(parent.name, 'snap', lab.pool, name);
  const child = await opened(t, lab.pool, name);
  const buffer = Buffer.alloc(6);
  await child.read(0, buffer);
  t.is(buffer.toString(), 'parent');
  await child.write(0, Buffer.from('child!'));
  await parent.read(0, buffer);
  t.is(buffer.toString(), 'parent');
});

test('parent() names what was cloned, and children() of parent and snapshot name the clone', async t => {
  const parent = await newParent(t, lab.pool);
  const name = unique('child');
  await lab.pool.clone(parent.name, 'snap', lab.pool, name);
  const child = await opened(t, lab.pool, name);
  const place = {pool: lab.pool.name, namespace: '', trash: false};
  const snapshotId = (await parent.listSnapshots())[0]?.id;
  const parentId = (await parent.info()).id;
  t.deepEqual(await child.parent(), {...place, image: parent.name, imageId: parentId, snapshot: 'snap', snapshotId});
  const children = [{...place, image: name, imageId: (await child.info()).id}];
  t.deepEqual(await parent.children(), children);
  t.deepEqual(await (await opened(t, lab.pool, parent.name, {snapshot: 'snap'})).children(), children);
});

test('children() of the head are those of all its snapshots, of a snapshot only its own', async t => {
  const parent = await newParent(t, lab.pool);
  await parent.createSnapshot('second');
  await parent.protectSnapshot('second');
  const names = [unique('first'), unique('second')] as const;
  await lab.pool.clone(parent.name, 'snap', lab.pool, names[0]);
  await lab.pool.clone(parent.name, 'second', lab.pool, names[1]);
  const namesOf = (specs: {image: string}[]) => specs.map(({image}) => image).toSorted();
  t.deepEqual(namesOf(await parent.children()), names.toSorted());
  const second = await opened(t, lab.pool, parent.name, {snapshot: 'second'});
  t.deepEqual(namesOf(await second.children()), [names[1]]);
});

test('children() has them all when there are more than fit at first', async t => {
  const parent = await newParent(t, lab.pool);
  const names = Array.from({length: 70}, (_, index) => `${parent.name}-child-${index}`);
  await Promise.all(names.map(name => lab.pool.clone(parent.name, 'snap', lab.pool, name, {features: 1})));
  t.deepEqual((await parent.children()).map(({image}) => image).toSorted(), names.toSorted());
});

test('parent() of an image without one is undefined, and it has no children', async t => {
  const image = await newImage(t, lab.pool);
  t.is(await image.parent(), undefined);
  t.deepEqual(await image.children(), []);
});

test('clone() goes into another pool and namespace', async t => {
  const parent = await newParent(t, lab.pool);
  await lab.ceph.rbd('namespace', 'create', `${lab.pool.name}/elsewhere`);
  const elsewhere = await lab.cluster.openPool(lab.pool.name, 'elsewhere');
  await lab.pool.clone(parent.name, 'snap', elsewhere, 'child', {cloneFormat: 2});
  t.like((await parent.children())[0], {namespace: 'elsewhere', image: 'child'});
  t.like(await (await opened(t, elsewhere, 'child')).parent(), {namespace: '', image: parent.name});
});

test('clone() of format 1 needs a protected snapshot, of format 2 it does not', async t => {
  const image = await newImage(t, lab.pool);
  await image.createSnapshot('open');
  const name = unique('child');
  const error = await rbdFails(t, lab.pool.clone(image.name, 'open', lab.pool, name, {cloneFormat: 1}), {
    code: 'EINVAL',
    syscall: 'rbd_clone3',
    image: image.name,
    snapshot: 'open',
    message: `rbd_clone3 ${lab.pool.name}/${image.name}@open: Invalid argument (to ${lab.pool.name}/${name})`,
  });
  t.is(error.detail, `to ${lab.pool.name}/${name}`);
  await t.notThrowsAsync(lab.pool.clone(image.name, 'open', lab.pool, name, {cloneFormat: 2}));
});

test('clone() of a snapshot that is missing is ENOENT, onto a name that is taken EEXIST', async t => {
  const parent = await newParent(t, lab.pool);
  await rbdFails(t, lab.pool.clone(parent.name, 'missing', lab.pool, unique()), {
    code: 'ENOENT',
    syscall: 'rbd_clone3',
    snapshot: 'missing',
    message: /@missing: No such file or directory/,
  });
  const name = unique('child');
  await lab.pool.clone(parent.name, 'snap', lab.pool, name);
  await rbdFails(t, lab.pool.clone(parent.name, 'snap', lab.pool, name), {
    code: 'EEXIST',
    syscall: 'rbd_clone3',
    message: /@snap: File exists/,
  });
});

test('clone() takes order and features', async t => {
  const parent = await newParent(t, lab.pool);
  const name = unique('child');
  await lab.pool.clone(parent.name, 'snap', lab.pool, name, {order: 23, features: 1, cloneFormat: 1});
  const {order, objectSize, features} = await (await opened(t, lab.pool, name)).info();
  t.deepEqual({order, objectSize}, {order: 23, objectSize: 8 * MiB});
  t.is(features & 4, 0, 'no exclusive lock');
});

test('clone() into the pool of another connection is EXDEV', async t => {
  const other = await loadBinding().connect(connectOptions(lab.ceph));
  t.teardown(() => other.close());
  const parent = await newParent(t, lab.pool);
  const pool = await other.openPool(lab.pool.name);
  await rbdFails(t, lab.pool.clone(parent.name, 'snap', pool, unique()), {
    code: 'EXDEV',
    syscall: 'rbd_clone3',
    message: /Invalid cross-device link \(the destination belongs to another connection\)$/,
  });
});

test('hasOwnData() of a clone is about its own writes, not its parent', async t => {
  const parent = await newParent(t, lab.pool);
  t.true(await parent.hasOwnData());
  const name = unique('child');
  await lab.pool.clone(parent.name, 'snap', lab.pool, name);
  const child = await opened(t, lab.pool, name);
  t.false(await child.hasOwnData());
  await child.write(9 * MiB, Buffer.from('x'));
  t.true(await child.hasOwnData());
});

test('hasOwnData() works without an object map and on an image of size 0', async t => {
  const [plain, empty] = [unique(), unique()];
  await lab.pool.createImage(plain, {size: 8 * MiB, features: 1});
  await lab.pool.createImage(empty, {size: 0});
  const image = await opened(t, lab.pool, plain);
  t.false(await image.hasOwnData());
  await image.write(7 * MiB, Buffer.from('x'));
  t.true(await image.hasOwnData());
  t.false(await (await opened(t, lab.pool, empty)).hasOwnData());
});

test('flatten() copies the parent and cuts the tie', async t => {
  const parent = await newParent(t, lab.pool);
  const name = unique('child');
  await lab.pool.clone(parent.name, 'snap', lab.pool, name);
  const child = await opened(t, lab.pool, name);
  await child.flatten();
  t.is(await child.parent(), undefined);
  t.deepEqual(await parent.children(), []);
  const buffer = Buffer.alloc(6);
  await child.read(0, buffer);
  t.is(buffer.toString(), 'parent');
});

test('flatten() of an image without a parent is EINVAL', async t => {
  const image = await newImage(t, lab.pool);
  await rbdFails(t, image.flatten(), {
    code: 'EINVAL',
    syscall: 'rbd_flatten',
    message: `rbd_flatten ${lab.pool.name}/${image.name}: Invalid argument`,
  });
});
