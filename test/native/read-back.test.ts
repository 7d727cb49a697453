import {createHash, randomBytes} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativeImage, ReadBackOptions} from '../../src/rbd/native.ts';
import {eventually, fixture, MiB, newImage, opened, rbdFails} from './helpers.ts';

const lab = fixture(test);
const KiB = 1024;
const sha512 = (data: Uint8Array) => createHash('sha512').update(data);

function ofPieces(data: Buffer, piece: number): string {
  const root = createHash('sha512');
  for (let at = 0; at < data.length; at += piece) root.update(sha512(data.subarray(at, at + piece)).digest());
  return root.digest('hex');
}

const readBack = (image: NativeImage, changes: Partial<ReadBackOptions> = {}) =>
  image.readBack({pieceSize: 4 * MiB, inFlight: 4, granule: 64 * KiB, ...changes});

/** An image of these bytes, of which only the runs were written that say so. */
async function imageOf(t: ExecutionContext, data: Buffer, runs: [at: number, length: number][]): Promise<NativeImage> {
  const image = await newImage(t, lab.pool, data.length);
  for (const [at, length] of runs) {
    randomBytes(length).copy(data, at);
    for (const end of [at, at + length - 1]) data[end] ||= 1; // a random byte may be zero
    await image.write(at, data.subarray(at, at + length));
  }
  await image.flush();
  return await opened(t, lab.pool, image.name, {readOnly: true});
}

for (const [what, size, runs] of [
  ['full', 13 * MiB, [[0, 13 * MiB]]],
  ['with an odd end', 9 * MiB + 5, [[8 * MiB, MiB + 5]]],
  ['with holes at both ends', 33 * MiB, [[9 * MiB, 5 * MiB]]],
  [
    'with a byte here and there',
    24 * MiB,
    [
      [0, 1],
      [8 * MiB - 1, 1],
      [17 * MiB + 77, 1],
    ],
  ],
  ['of holes', 9 * MiB + 5, []],
  ['of one byte', 1, [[0, 1]]],
  ['of nothing', 0, []],
] as [string, number, [number, number][]][]) {
  for (const changes of [{}, {inFlight: 1}, {pieceSize: 64 * KiB, granule: 4 * KiB}, {pieceSize: 16 * MiB}]) {
    test(`an image ${what} has the digest of its bytes, ${JSON.stringify(changes)}`, async t => {
      const data = Buffer.alloc(size);
      const image = await imageOf(t, data, runs);
      const whole = readBack(image, changes);
      const pieces = readBack(image, {...changes, inPieces: true});
      const granule = changes.granule ?? 64 * KiB;
      const granules = new Set(runs.flatMap(([at, length]) => granulesOf(at, length, granule)));
      const stored = [...granules].reduce((sum, each) => sum + Math.min(granule, size - each * granule), 0);
      t.deepEqual(await whole.result, {digest: sha512(data).digest('hex'), size, stored});
      t.deepEqual(await pieces.result, {digest: ofPieces(data, changes.pieceSize ?? 4 * MiB), size, stored});
      t.is(whole.position, size);
      t.is(pieces.position, size);
    });
  }
}

const granulesOf = (at: number, length: number, granule: number): number[] => {
  const [first, last] = [Math.floor(at / granule), Math.floor((at + length - 1) / granule)];
  return Array.from({length: last - first + 1}, (_, index) => first + index);
};

test('zeros that were written are zeros, and not stored', async t => {
  const image = await newImage(t, lab.pool, 8 * MiB);
  await image.write(0, Buffer.alloc(8 * MiB));
  const data = Buffer.alloc(8 * MiB);
  t.deepEqual(await readBack(image).result, {digest: sha512(data).digest('hex'), size: data.length, stored: 0});
  const {digest} = await readBack(image, {inPieces: true}).result;
  t.is(digest, ofPieces(data, 4 * MiB));
});

test('it is of the snapshot that was opened, whatever is written to the image meanwhile', async t => {
  const image = await newImage(t, lab.pool, 12 * MiB);
  const data = Buffer.alloc(12 * MiB);
  data.fill(7, 4 * MiB, 5 * MiB);
  await image.write(4 * MiB, data.subarray(4 * MiB, 5 * MiB));
  await image.createSnapshot('snap');
  await image.write(0, Buffer.alloc(12 * MiB, 9));
  const snapshot = await opened(t, lab.pool, image.name, {snapshot: 'snap'});
  for (const [inPieces, digest] of [
    [false, sha512(data).digest('hex')],
    [true, ofPieces(data, 4 * MiB)],
  ] as const)
    t.deepEqual(await readBack(snapshot, {inPieces}).result, {digest, size: data.length, stored: MiB});
});

test("a clone's bytes are its parent's where it has none", async t => {
  const image = await newImage(t, lab.pool, 12 * MiB);
  const data = Buffer.alloc(12 * MiB, 3);
  await image.write(0, data.subarray(0, 8 * MiB));
  data.fill(0, 8 * MiB);
  await image.createSnapshot('snap');
  await image.protectSnapshot('snap');
  await lab.pool.clone(image.name, 'snap', lab.pool, `${image.name}-clone`);
  const clone = await opened(t, lab.pool, `${image.name}-clone`);
  t.is((await readBack(clone, {inPieces: true}).result).digest, ofPieces(data, 4 * MiB));
  t.is((await readBack(clone).result).digest, sha512(data).digest('hex'));
});

for (const inPieces of [false, true]) {
  test(`cancelled it fails, and nothing is read any more (in pieces: ${inPieces})`, async t => {
    const image = await imageOf(t, Buffer.alloc(64 * MiB), [[0, 64 * MiB]]);
    const reading = readBack(image, {inPieces, inFlight: 2, pieceSize: 64 * KiB});
    reading.cancel(); // before this thread lets go: later it may be over
    reading.cancel();
    await rbdFails(t, reading.result, {
      code: 'ECANCELED',
      syscall: 'rbd_aio_read',
      message: /Operation canceled$/,
    });
    t.true(reading.position < 64 * MiB);
    await image.close();
    t.true(await eventually(() => Object.values(loadBinding().counters()).every(count => count === 0)));
  });
}

test('cancelling what is over changes nothing', async t => {
  const image = await imageOf(t, Buffer.alloc(MiB), [[0, 10]]);
  const reading = readBack(image);
  await reading.result;
  reading.cancel();
  t.is((await reading.result).size, MiB);
});

test('several are read side by side', async t => {
  const data = Buffer.alloc(16 * MiB);
  const image = await imageOf(t, data, [[0, 16 * MiB]]);
  const all = Array.from({length: 6}, () => readBack(image, {inPieces: true, inFlight: 3}).result);
  for (const {digest} of await Promise.all(all)) t.is(digest, ofPieces(data, 4 * MiB));
});

test.serial('a small digest does not wait for long read-backs that have all the threads', async t => {
  const size = 16 * 1024 * MiB;
  const image = await newImage(t, lab.pool, size);
  const readings = Array.from({length: 8}, () => readBack(image)); // of holes, which are hashed where they stand
  const ends = readings.map(({result}) => result.catch(error => error.code));
  t.true(await eventually(() => readings.every(({position}) => position > 0)));
  const hashing = loadBinding().hasher(['sha512']);
  void hashing.update(Buffer.alloc(1));
  await hashing.finish();
  for (const reading of readings) reading.cancel();
  t.deepEqual(await Promise.all(ends), Array(8).fill('ECANCELED'));
  await hashing.close();
});

const wrong: [changes: object, message: string][] = [
  [{pieceSize: 3 * MiB}, 'pieceSize must be a power of two from 4096 to 2^25'],
  [{pieceSize: 2048, granule: 2048}, 'pieceSize must be a power of two from 4096 to 2^25'],
  [{pieceSize: 2 ** 26}, 'pieceSize must be a power of two from 4096 to 2^25'],
  [{granule: 0}, 'granule must divide pieceSize'],
  [{granule: 8 * MiB}, 'granule must divide pieceSize'],
  [{inFlight: 0}, 'inFlight must be from 1 to 1024'],
  [{inFlight: 1025}, 'inFlight must be from 1 to 1024'],
];

test('readBack() throws for limits that cannot be, and of a closed image', async t => {
  const image = await newImage(t, lab.pool, MiB);
  for (const [changes, reason] of wrong) {
    t.throws(() => readBack(image, changes), {
      code: 'EINVAL',
      message: `rbd_aio_read ${lab.pool.name}/${image.name}: Invalid argument (${reason})`,
    });
  }
  t.throws(() => readBack(image, {inFlight: '1'} as object), {instanceOf: TypeError, message: /must be a number$/});
  const reading = readBack(image);
  t.throws(() => new (reading.constructor as new () => unknown)(), {message: 'Illegal constructor'});
  await reading.result;
  await image.close();
  t.throws(() => readBack(image), {code: 'EBADF'});
});
