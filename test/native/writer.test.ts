import {createHash, randomBytes} from 'node:crypto';
import test from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativeImage, NativeWriter, WriterOptions} from '../../src/rbd/native.ts';
import {eventually, fixture, MiB, newImage, opened, rbdFails} from './helpers.ts';

const lab = fixture(test);
const KiB = 1024;
const hash = (algo: string, data: Buffer) => createHash(algo).update(data).digest('hex');

const write = (image: NativeImage, changes: Partial<WriterOptions> = {}): NativeWriter =>
  image.writer({objectSize: 4 * MiB, inFlight: 4, granule: 64 * KiB, ...changes});

/** Appends all of it, in chunks of these sizes, again and again. */
function appendAll(writer: NativeWriter, data: Buffer, sizes: number[]): Promise<void>[] {
  const appends: Promise<void>[] = [];
  for (let at = 0; at < data.length; ) {
    const length = sizes[appends.length % sizes.length] ?? data.length;
    appends.push(writer.append(data.subarray(at, at + length)));
    at += length;
  }
  return appends;
}

async function bytesOf(image: NativeImage, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await image.read(0, buffer);
  return buffer;
}

for (const [name, sizes] of [
  ['of 64 KiB', [64 * KiB]],
  ['of odd sizes', [1, 70_001, 3 * MiB + 1, 0, 13]],
  ['of several objects', [9 * MiB + 5]],
  ['of exactly one object', [4 * MiB]],
] as const) {
  for (const inFlight of [1, 4]) {
    test(`chunks ${name} arrive, ${inFlight} objects in flight, with their digests`, async t => {
      const data = randomBytes(17 * MiB + 123);
      const image = await newImage(t, lab.pool, data.length);
      const writer = write(image, {inFlight, digests: ['md5', 'sha256', 'md5', 'sha512']});
      await Promise.all(appendAll(writer, data, [...sizes]));
      t.deepEqual(await writer.finish(), {
        received: data.length,
        written: data.length,
        digests: {md5: hash('md5', data), sha256: hash('sha256', data), sha512: hash('sha512', data)},
      });
      t.true((await bytesOf(image, data.length)).equals(data));
    });
  }
}

test('a chunk may be used again once its promise has settled', async t => {
  const image = await newImage(t, lab.pool, 12 * MiB);
  const writer = write(image, {inFlight: 1});
  const chunk = Buffer.alloc(100_000);
  const expected = Buffer.alloc(120 * chunk.length);
  for (let count = 0; count < 120; count++) {
    await writer.append(chunk.fill(count + 1));
    expected.fill(count + 1, count * chunk.length, (count + 1) * chunk.length);
  }
  t.is((await writer.finish()).digests['sha512'], hash('sha512', expected));
  t.true((await bytesOf(image, expected.length)).equals(expected));
});

test('only granules with data are written, and objects of zeros do not come to be', async t => {
  const image = await newImage(t, lab.pool, 24 * MiB);
  const data = Buffer.alloc(21 * MiB + 10);
  for (const at of [0, 64 * KiB, 4 * MiB - 1, 12 * MiB + 200 * KiB, 21 * MiB + 9]) data[at] = at % 255 || 1;
  const writer = write(image);
  await Promise.all(appendAll(writer, data, [MiB + 1]));
  const {received, written} = await writer.finish();
  t.deepEqual({received, written}, {received: data.length, written: 4 * 64 * KiB + 10});
  t.true((await bytesOf(image, data.length)).equals(data));
  const {id} = await image.info();
  const objects = await lab.pool.listObjects(`rbd_data.${id}.`);
  t.deepEqual(
    objects.map(name => Number.parseInt(name.split('.').at(-1) ?? '', 16)).toSorted((a, b) => a - b),
    [0, 3, 5],
  );
});

test('zeros alone leave nothing, and the digest is theirs', async t => {
  const data = Buffer.alloc(9 * MiB);
  const image = await newImage(t, lab.pool, data.length);
  const writer = write(image);
  await writer.append(data);
  t.deepEqual(await writer.finish(), {received: data.length, written: 0, digests: {sha512: hash('sha512', data)}});
  t.false(await image.hasOwnData());
});

test('nothing at all is written too', async t => {
  const writer = write(await newImage(t, lab.pool, MiB));
  t.deepEqual(await writer.finish(), {received: 0, written: 0, digests: {sha512: hash('sha512', Buffer.alloc(0))}});
});

test('appends are taken in order, and finish() comes after all of them', async t => {
  const image = await newImage(t, lab.pool);
  const writer = write(image, {inFlight: 1});
  const settled: string[] = [];
  const appends = Array.from({length: 50}, (_, at) =>
    writer.append(Buffer.alloc(300_000, at)).then(() => settled.push(String(at))),
  );
  const finished = writer.finish().then(() => settled.push('finish'));
  await Promise.all([...appends, finished]);
  t.deepEqual(settled, [...Array.from({length: 50}, (_, at) => String(at)), 'finish']);
});

test('what reaches beyond the end is refused, none of it is taken, and what fits still is', async t => {
  const image = await newImage(t, lab.pool, MiB);
  const writer = write(image);
  await writer.append(Buffer.alloc(MiB - 1, 1));
  await rbdFails(t, writer.append(Buffer.alloc(2, 2)), {
    code: 'EINVAL',
    syscall: 'rbd_aio_write',
    message: `rbd_aio_write ${lab.pool.name}/${image.name}: Invalid argument (reaches beyond the end at ${MiB})`,
  });
  await writer.append(Buffer.alloc(1, 3));
  t.is((await writer.finish()).received, MiB);
  t.true((await bytesOf(image, MiB)).equals(Buffer.concat([Buffer.alloc(MiB - 1, 1), Buffer.alloc(1, 3)])));
});

test('after finish() there is no append() and no other finish()', async t => {
  const writer = write(await newImage(t, lab.pool, MiB));
  void writer.finish();
  for (const call of [writer.append(Buffer.alloc(0)), writer.finish()]) {
    await rbdFails(t, call, {
      code: 'EINVAL',
      syscall: 'rbd_aio_write',
      message: /Invalid argument \(after finish\(\)\)$/,
    });
  }
});

test("the first write's error is that of the next append() and of finish(), and nothing more is written", async t => {
  const writable = await newImage(t, lab.pool, 64 * MiB);
  const image = await opened(t, lab.pool, writable.name, {readOnly: true});
  const writer = write(image);
  const data = Buffer.alloc(4 * MiB, 1);
  const expected = {
    code: 'EROFS',
    syscall: 'rbd_aio_write',
    message: `rbd_aio_write ${lab.pool.name}/${image.name}: Read-only file system`,
    pool: lab.pool.name,
    image: image.name,
  };
  await writer.append(data);
  t.true(
    await eventually(() =>
      writer.append(Buffer.alloc(1)).then(
        () => false,
        () => true,
      ),
    ),
  );
  await rbdFails(t, writer.append(data), expected);
  await rbdFails(t, writer.append(data), expected);
  await rbdFails(t, writer.finish(), expected);
  await t.notThrowsAsync(writer.close());
});

test('an error in the last object is that of finish()', async t => {
  const {name} = await newImage(t, lab.pool, MiB);
  const writer = write(await opened(t, lab.pool, name, {readOnly: true}));
  await writer.append(Buffer.alloc(10, 1));
  await rbdFails(t, writer.finish(), {code: 'EROFS', syscall: 'rbd_aio_write', message: /Read-only file system$/});
});

test('without finish() the last object is not written, the full ones are', async t => {
  const image = await newImage(t, lab.pool);
  const writer = write(image);
  await writer.append(Buffer.alloc(6 * MiB, 1));
  await writer.close();
  t.true((await bytesOf(image, 8 * MiB)).equals(Buffer.concat([Buffer.alloc(4 * MiB, 1), Buffer.alloc(4 * MiB)])));
});

test('closing the image closes its writer, after what is pending', async t => {
  const image = await newImage(t, lab.pool);
  const writer = write(image, {inFlight: 1});
  const settled: string[] = [];
  const pending = appendAll(writer, Buffer.alloc(16 * MiB, 1), [MiB]).map(append =>
    append.finally(() => settled.push('append')),
  );
  const finished = writer.finish().finally(() => settled.push('finish'));
  await image.close();
  settled.push('close');
  await t.notThrowsAsync(Promise.all([...pending, finished]));
  t.deepEqual(settled, [...Array(16).fill('append'), 'finish', 'close']);
  await rbdFails(t, writer.append(Buffer.alloc(1)), {
    code: 'EINVAL',
    syscall: 'rbd_aio_write',
    message: /after finish/,
  });
  const again = await opened(t, lab.pool, image.name);
  t.true((await bytesOf(again, 16 * MiB)).equals(Buffer.alloc(16 * MiB, 1)));
});

test('several writers work side by side', async t => {
  await Promise.all(
    Array.from({length: 8}, async () => {
      const data = randomBytes(9 * MiB + 1);
      const image = await newImage(t, lab.pool, data.length);
      const writer = write(image, {inFlight: 2});
      await Promise.all(appendAll(writer, data, [200_001]));
      t.is((await writer.finish()).digests['sha512'], hash('sha512', data));
      t.true((await bytesOf(image, data.length)).equals(data));
    }),
  );
  t.true(await eventually(() => Object.values(loadBinding().counters()).every(count => count === 0)));
});

const wrong: [changes: object, message: string][] = [
  [{objectSize: 3 * MiB}, 'objectSize must be a power of two from 4096 to 2^25'],
  [{objectSize: 2048, granule: 2048}, 'objectSize must be a power of two from 4096 to 2^25'],
  [{objectSize: 2 ** 26}, 'objectSize must be a power of two from 4096 to 2^25'],
  [{granule: 0}, 'granule must divide objectSize'],
  [{granule: 8 * MiB}, 'granule must divide objectSize'],
  [{inFlight: 0}, 'inFlight must be from 1 to 1024'],
  [{inFlight: 1025}, 'inFlight must be from 1 to 1024'],
  [{digests: ['md6']}, 'there is no digest md6'],
  [{digests: ['shake128']}, 'there is no digest shake128'],
];

test.serial('a small digest does not wait for writers that have all the threads', async t => {
  const finished: string[] = [];
  const images = await Promise.all(Array.from({length: 12}, () => newImage(t, lab.pool, 64 * MiB)));
  const zeros = Buffer.alloc(MiB); // they are hashed, and there is nothing to write
  const writers = images.map(async image => {
    const writer = write(image, {inFlight: 64});
    await Promise.all(Array.from({length: 64}, () => writer.append(zeros)));
    finished.push('taken');
  });
  const hashing = loadBinding().hasher(['sha512']);
  const small = hashing.finish().then(() => finished.push('small'));
  await Promise.all([small, ...writers]);
  t.is(finished[0], 'small');
  await hashing.close();
});

test('writer() throws for limits that cannot be, and for digests there are not', async t => {
  const image = await newImage(t, lab.pool, MiB);
  for (const [changes, reason] of wrong) {
    t.throws(() => write(image, changes), {
      code: 'EINVAL',
      message: `rbd_aio_write ${lab.pool.name}/${image.name}: Invalid argument (${reason})`,
    });
  }
  t.throws(() => write(image, {inFlight: '1'} as object), {
    instanceOf: TypeError,
    message: /inFlight must be a number$/,
  });
  t.throws(() => write(image, {digests: 'md5'} as object), {
    instanceOf: TypeError,
    message: /digests must be an array/,
  });
  const writer = write(image);
  await t.throwsAsync(writer.append('text' as never), {instanceOf: TypeError, message: /chunk must be a Uint8Array$/});
  t.throws(() => new (writer.constructor as new () => unknown)(), {
    instanceOf: TypeError,
    message: 'Illegal constructor',
  });
});

test('writer() of a closed image throws EBADF', async t => {
  const image = await newImage(t, lab.pool, MiB);
  await image.close();
  t.throws(() => write(image), {code: 'EBADF'});
});
