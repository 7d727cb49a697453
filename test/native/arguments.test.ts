import test from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import {fixture, MiB, newImage, rbdFails} from './helpers.ts';

const lab = fixture(test);

/** A call as JavaScript without types could make it. */
const loosely = (target: object, method: string, ...args: unknown[]): Promise<unknown> =>
  (target as Record<string, (...args: unknown[]) => Promise<unknown>>)[method]?.(...args) ?? Promise.resolve();

const wrongTypes: [target: 'cluster' | 'pool' | 'image', method: string, args: unknown[], message: string][] = [
  ['cluster', 'openPool', [undefined], 'rados_ioctx_create: name must be a string'],
  ['cluster', 'monCommand', ['{}', 'text'], 'rados_mon_command: input must be a Uint8Array'],
  ['pool', 'createImage', ['name', {size: '1'}], 'rbd_create4: size must be a number'],
  ['pool', 'createImage', ['name'], 'rbd_create4: size must be a number'],
  ['pool', 'createImage', ['name', 5], 'rbd_create4: options must be an object'],
  ['pool', 'openImage', [1], 'rbd_open: name must be a string'],
  ['pool', 'openImage', ['name', {readOnly: 1}], 'rbd_open: readOnly must be a boolean'],
  ['pool', 'clone', ['a', 's', {}, 'b'], 'rbd_clone3: destination must be a pool'],
  ['pool', 'omapGet', ['object', 'key'], 'rados_read_op_operate: keys must be an array of strings'],
  ['pool', 'omapCompareAndSet', ['object', {set: {key: 1}}], 'rados_write_op_operate2: set must be a Uint8Array'],
  ['image', 'read', [0, new Uint16Array(4)], 'rbd_aio_read: buffer must be a Uint8Array'],
  ['image', 'write', [0, new ArrayBuffer(4)], 'rbd_aio_write: buffer must be a Uint8Array'],
  ['image', 'write', [0n, Buffer.alloc(1)], 'rbd_aio_write: offset must be a number'],
  ['image', 'createSnapshot', [null], 'rbd_snap_create: name must be a string'],
];

for (const [on, method, args, message] of wrongTypes) {
  test(`${on}.${method}(${args.map(String)}) rejects with a TypeError: ${message}`, async t => {
    const target = on === 'image' ? await newImage(t, lab.pool) : lab[on];
    await t.throwsAsync(loosely(target, method, ...args), {instanceOf: TypeError, message});
  });
}

const badNumbers: [value: number, code: string, reason: RegExp][] = [
  [-1, 'EINVAL', /Invalid argument \(offset must be a whole number, not negative\)$/],
  [0.5, 'EINVAL', /Invalid argument \(offset must be a whole number, not negative\)$/],
  [Number.NaN, 'EINVAL', /Invalid argument \(offset must be a whole number, not negative\)$/],
  [2 ** 53, 'ERANGE', /Numerical result out of range \(offset is above 2\^53-1\)$/],
  [Number.POSITIVE_INFINITY, 'ERANGE', /Numerical result out of range \(offset is above 2\^53-1\)$/],
];

for (const [value, code, message] of badNumbers) {
  test(`an offset of ${value} is ${code}`, async t => {
    const image = await newImage(t, lab.pool);
    await rbdFails(t, image.read(value, Buffer.alloc(1)), {code, syscall: 'rbd_aio_read', message});
  });
}

test('an image larger than numbers can count is refused with ERANGE, not rounded', async t => {
  const {ceph, pool} = lab;
  await ceph.rbd(
    'create',
    `${pool.name}/huge`,
    '--size',
    `${2 ** 33 + 1}M`,
    '--object-size',
    '32M',
    '--image-feature',
    'layering',
  );
  const image = await pool.openImage('huge');
  t.teardown(() => image.close());
  await rbdFails(t, image.info(), {
    code: 'ERANGE',
    syscall: 'rbd_stat',
    message: `rbd_stat ${pool.name}/huge: Numerical result out of range (9007199255789568 is above 2^53-1)`,
  });
});

test('more than 2^31-1 bytes at once are refused', async t => {
  const image = await newImage(t, lab.pool, 8192 * MiB);
  await rbdFails(t, image.discard(0, 2 ** 31), {
    code: 'EINVAL',
    syscall: 'rbd_aio_discard',
    message: /Invalid argument \(more than 2\^31-1 bytes at once\)$/,
  });
});

test('names with a NUL character, and empty ones, are refused and not cut', async t => {
  await rbdFails(t, lab.pool.openImage('one\0two'), {
    code: 'EINVAL',
    syscall: 'rbd_open',
    message: /Invalid argument \(name has a NUL character\)$/,
  });
  await rbdFails(t, lab.pool.statObject(''), {
    code: 'EINVAL',
    syscall: 'rados_stat',
    message: /Invalid argument \(object is empty\)$/,
  });
});

test('the classes cannot be constructed, and their methods work on nothing else', t => {
  for (const handle of [lab.cluster, lab.pool]) {
    const Class = handle.constructor as new (...args: unknown[]) => unknown;
    t.throws(() => new Class(), {instanceOf: TypeError, message: 'Illegal constructor'});
    t.throws(() => new Class({}), {instanceOf: TypeError, message: 'Illegal constructor'});
  }
  t.throws(() => Reflect.apply(lab.pool.listImages, {}, []), {instanceOf: TypeError});
  t.throws(() => Reflect.apply(lab.pool.listImages, lab.cluster, []), {instanceOf: TypeError});
});

test('connect() without options rejects', async t => {
  await t.throwsAsync(loosely(loadBinding(), 'connect'), {
    instanceOf: TypeError,
    message: 'rados_connect: user must be a string',
  });
});
