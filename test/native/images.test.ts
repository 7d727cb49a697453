import test from 'ava';
import {fixture, MiB, newImage, newParent, opened, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);

test('createImage() makes an image that Ceph shows with this size, order and these features', async t => {
  const name = unique();
  await lab.pool.createImage(name, {size: 5 * MiB + 512, order: 23, features: 1 | 4});
  const shown = JSON.parse(await lab.ceph.rbd('info', `${lab.pool.name}/${name}`, '--format', 'json'));
  t.like(shown, {size: 5 * MiB + 512, order: 23, features: ['layering', 'exclusive-lock']});
});

test('createImage() takes the defaults of the cluster', async t => {
  const image = await newImage(t, lab.pool);
  const {order, objectSize, features} = await image.info();
  t.deepEqual({order, objectSize, features}, {order: 22, objectSize: 4 * MiB, features: 61});
});

test('createImage() under a name that is taken is EEXIST', async t => {
  const {name} = await newImage(t, lab.pool);
  await rbdFails(t, lab.pool.createImage(name, {size: 1}), {
    code: 'EEXIST',
    syscall: 'rbd_create4',
    pool: lab.pool.name,
    image: name,
    message: `rbd_create4 ${lab.pool.name}/${name}: File exists`,
  });
});

test('createImage() with an order that librbd does not take is EDOM', async t => {
  await rbdFails(t, lab.pool.createImage(unique(), {size: 1, order: 3}), {
    code: 'EDOM',
    syscall: 'rbd_create4',
    message: /Numerical argument out of domain$/,
  });
});

test('openImage() of an image that is missing is ENOENT', async t => {
  await rbdFails(t, lab.pool.openImage('missing'), {
    code: 'ENOENT',
    syscall: 'rbd_open',
    pool: lab.pool.name,
    image: 'missing',
    message: `rbd_open ${lab.pool.name}/missing: No such file or directory`,
  });
});

test('openImage() at a snapshot that is missing is ENOENT and names it', async t => {
  const {name} = await newImage(t, lab.pool);
  await rbdFails(t, lab.pool.openImage(name, {snapshot: 'gone'}), {
    code: 'ENOENT',
    syscall: 'rbd_open_read_only',
    image: name,
    snapshot: 'gone',
    message: `rbd_open_read_only ${lab.pool.name}/${name}@gone: No such file or directory`,
  });
});

test('an image opened read-only refuses to be written', async t => {
  const {name} = await newImage(t, lab.pool);
  const image = await opened(t, lab.pool, name, {readOnly: true});
  await rbdFails(t, image.write(0, Buffer.alloc(512)), {
    code: 'EROFS',
    syscall: 'rbd_aio_write',
    message: `rbd_aio_write ${lab.pool.name}/${name}: Read-only file system`,
  });
});

test('an image opened at a snapshot shows what it held then', async t => {
  const parent = await newParent(t, lab.pool);
  await parent.write(0, Buffer.from('later!'));
  const image = await opened(t, lab.pool, parent.name, {snapshot: 'snap'});
  const buffer = Buffer.alloc(6);
  await image.read(0, buffer);
  t.is(buffer.toString(), 'parent');
});

test('info() is what Ceph shows', async t => {
  const image = await newImage(t, lab.pool);
  const shown = JSON.parse(await lab.ceph.rbd('info', `${lab.pool.name}/${image.name}`, '--format', 'json'));
  t.like(await image.info(), {size: shown.size, order: shown.order, objectSize: shown.object_size, id: shown.id});
});

test('resize() grows the image, for others too', async t => {
  const image = await newImage(t, lab.pool);
  await image.resize(20 * MiB);
  t.is((await image.info()).size, 20 * MiB);
  t.is((await (await opened(t, lab.pool, image.name)).info()).size, 20 * MiB);
});

test('resize() does not shrink the image unless it is allowed to', async t => {
  const image = await newImage(t, lab.pool);
  await rbdFails(t, image.resize(MiB), {
    code: 'EINVAL',
    syscall: 'rbd_resize2',
    message: `rbd_resize2 ${lab.pool.name}/${image.name}: Invalid argument (would shrink the image)`,
  });
  t.is((await image.info()).size, 16 * MiB);
  await image.resize(MiB, {allowShrink: true});
  t.is((await image.info()).size, MiB);
});

test('listImages() has names and ids', async t => {
  const image = await newImage(t, lab.pool);
  const {id} = await image.info();
  const images = await lab.pool.listImages();
  t.deepEqual(
    images.find(({name}) => name === image.name),
    {name: image.name, id},
  );
});

test('listImages() has them all when there are more than fit at first', async t => {
  const namespace = unique('crowd');
  await lab.ceph.rbd('namespace', 'create', `${lab.pool.name}/${namespace}`);
  const pool = await lab.cluster.openPool(lab.pool.name, namespace);
  const names = Array.from({length: 150}, (_, index) => `image-${String(index).padStart(3, '0')}`);
  await Promise.all(names.map(name => pool.createImage(name, {size: 0, features: 1})));
  const images = await pool.listImages();
  t.deepEqual(images.map(({name}) => name).toSorted(), names);
});

test('removeImage() removes the image', async t => {
  const name = unique();
  await lab.pool.createImage(name, {size: MiB});
  await lab.pool.removeImage(name);
  t.false((await lab.pool.listImages()).some(image => image.name === name));
});

test('removeImage() of an image that is missing is ENOENT', async t => {
  await rbdFails(t, lab.pool.removeImage('missing'), {
    code: 'ENOENT',
    syscall: 'rbd_remove',
    message: `rbd_remove ${lab.pool.name}/missing: No such file or directory`,
  });
});

test('removeImage() of an image that somebody has open is EBUSY', async t => {
  const {name} = await newImage(t, lab.pool);
  await rbdFails(t, lab.pool.removeImage(name), {
    code: 'EBUSY',
    syscall: 'rbd_remove',
    message: `rbd_remove ${lab.pool.name}/${name}: Device or resource busy`,
  });
});

test('metadata() has every key and value', async t => {
  const image = await newImage(t, lab.pool);
  t.deepEqual(await image.metadata(), {});
  await lab.ceph.rbd('image-meta', 'set', `${lab.pool.name}/${image.name}`, 'key', 'some value');
  await lab.ceph.rbd('image-meta', 'set', `${lab.pool.name}/${image.name}`, 'conf_rbd_cache', 'false');
  const again = await opened(t, lab.pool, image.name);
  t.deepEqual(await again.metadata(), {key: 'some value', conf_rbd_cache: 'false'});
});

test('watchers() names who has the image open for writing, by addresses that the connection knows as its own', async t => {
  const {name} = await newImage(t, lab.pool);
  const reader = await opened(t, lab.pool, name, {readOnly: true});
  const watchers = await reader.watchers();
  t.is(watchers.length, 1);
  t.is(`client.${watchers[0]?.client}`, `client.${lab.cluster.instanceId}`);
  t.true(lab.cluster.addresses.some(address => address.includes(watchers[0]?.address.split(':').at(-1) ?? '?')));
});
