import {randomBytes} from 'node:crypto';
import {readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {fixture, MiB, newImage, opened, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);

test('what is written is what Ceph exports', async t => {
  const image = await newImage(t, lab.pool, 5 * MiB);
  const bytes = randomBytes(5 * MiB);
  await Promise.all([0, 1, 2, 3, 4].map(at => image.write(at * MiB, bytes.subarray(at * MiB, (at + 1) * MiB))));
  await image.flush();
  const path = join(tmpdir(), unique('export'));
  t.teardown(() => rmSync(path));
  await lab.ceph.rbd('export', `${lab.pool.name}/${image.name}`, path);
  t.true(readFileSync(path).equals(bytes));
});

test('what is written is read back, across objects and at odd offsets', async t => {
  const image = await newImage(t, lab.pool);
  const bytes = randomBytes(6 * MiB + 13);
  await image.write(3 * MiB + 7, bytes);
  const buffer = Buffer.alloc(bytes.length);
  t.is(await image.read(3 * MiB + 7, buffer), bytes.length);
  t.true(buffer.equals(bytes));
});

test('a view into a larger buffer is written and read as that view only', async t => {
  const image = await newImage(t, lab.pool);
  const large = new Uint8Array(32).fill(1);
  await image.write(0, large.subarray(8, 16).fill(2));
  const target = new Uint8Array(32).fill(9);
  t.is(await image.read(0, target.subarray(4, 20)), 16);
  t.deepEqual([...target], [...Array(4).fill(9), ...Array(8).fill(2), ...Array(8).fill(0), ...Array(12).fill(9)]);
});

test('read() answers zeros where nothing was written', async t => {
  const image = await newImage(t, lab.pool);
  const buffer = Buffer.alloc(4096, 1);
  t.is(await image.read(MiB, buffer), 4096);
  t.true(buffer.equals(Buffer.alloc(4096)));
});

test('read() answers fewer bytes at the end, and none after it', async t => {
  const image = await newImage(t, lab.pool, MiB);
  const buffer = Buffer.alloc(100, 1);
  t.is(await image.read(MiB - 40, buffer), 40);
  t.deepEqual([...new Set(buffer.subarray(40))], [1]);
  t.is(await image.read(MiB, buffer), 0);
  t.is(await image.read(2 * MiB, buffer), 0);
});

test('reads and writes of no bytes are fine', async t => {
  const image = await newImage(t, lab.pool, MiB);
  t.is(await image.read(0, Buffer.alloc(0)), 0);
  await t.notThrowsAsync(image.write(MiB, Buffer.alloc(0)));
});

test('write() that reaches beyond the end is refused, and writes nothing', async t => {
  const image = await newImage(t, lab.pool, MiB);
  await rbdFails(t, image.write(MiB - 1, Buffer.from('ab')), {
    code: 'EINVAL',
    syscall: 'rbd_aio_write',
    message: `rbd_aio_write ${lab.pool.name}/${image.name}: Invalid argument (reaches beyond the end at ${MiB})`,
  });
  t.false(await image.hasOwnData());
});

test('write() knows the new end after resize(), and after another one by way of info()', async t => {
  const image = await newImage(t, lab.pool, MiB);
  await image.resize(2 * MiB);
  await t.notThrowsAsync(image.write(2 * MiB - 1, Buffer.from('a')));
  const other = await opened(t, lab.pool, image.name);
  await other.resize(3 * MiB);
  await image.info();
  await t.notThrowsAsync(image.write(3 * MiB - 1, Buffer.from('a')));
});

test('writeZeroes() makes zeros', async t => {
  const image = await newImage(t, lab.pool);
  await image.write(0, Buffer.alloc(8192, 7));
  await image.writeZeroes(1000, 5000);
  const buffer = Buffer.alloc(8192);
  await image.read(0, buffer);
  t.true(buffer.equals(Buffer.concat([Buffer.alloc(1000, 7), Buffer.alloc(5000), Buffer.alloc(2192, 7)])));
});

test('discard() of a whole object gives its space back', async t => {
  const image = await newImage(t, lab.pool);
  await image.write(4 * MiB, Buffer.alloc(4 * MiB, 7));
  t.true(await image.hasOwnData());
  await image.discard(4 * MiB, 4 * MiB);
  const buffer = Buffer.alloc(4096, 1);
  await image.read(4 * MiB, buffer);
  t.true(buffer.equals(Buffer.alloc(4096)));
  t.false(await image.hasOwnData());
});

for (const call of ['writeZeroes', 'discard'] as const) {
  const syscall = call === 'discard' ? 'rbd_aio_discard' : 'rbd_aio_write_zeroes';
  test(`${call}() that reaches beyond the end is refused`, async t => {
    const image = await newImage(t, lab.pool, MiB);
    await rbdFails(t, image[call](MiB - 512, 1024), {
      code: 'EINVAL',
      syscall,
      message: `${syscall} ${lab.pool.name}/${image.name}: Invalid argument (reaches beyond the end at ${MiB})`,
    });
  });
}

test('a hundred writes at a time all arrive', async t => {
  const image = await newImage(t, lab.pool);
  await Promise.all(Array.from({length: 100}, (_, index) => image.write(index * 4096, Buffer.alloc(4096, index))));
  const buffer = Buffer.alloc(100 * 4096);
  await image.read(0, buffer);
  for (let index = 0; index < 100; index++) t.is(buffer[index * 4096 + 4095], index);
});
