import {createHash, randomBytes} from 'node:crypto';
import {setImmediate as turn} from 'node:timers/promises';
import test from 'ava';
import fc from 'fast-check';
import {CellarError} from '../../src/core/errors.ts';
import type {CopyWriter} from '../../src/core/ports.ts';
import {granule} from '../../src/core/sparse.ts';
import {transfer} from '../../src/core/transfer.ts';
import {record} from './facts.ts';
import {never} from './world.ts';

const objectSize = 4 * granule;

/** Keeps what was written, and counts the bytes of the buffers that it has borrowed at once. */
function memory(size: number, onWrite: (offset: number) => Promise<unknown> = turn) {
  const bytes = Buffer.alloc(size);
  const state = {
    bytes,
    writes: [] as number[],
    borrowed: 0,
    most: 0,
    crossing: false,
    buffers: new Set<ArrayBufferLike>(),
  };
  const writer: CopyWriter = {
    objectSize,
    write: async (offset, data) => {
      state.writes.push(offset);
      state.buffers.add(data.buffer);
      state.borrowed += data.length;
      state.most = Math.max(state.most, state.borrowed);
      state.crossing ||= Math.floor(offset / objectSize) !== Math.floor((offset + data.length - 1) / objectSize);
      await onWrite(offset);
      bytes.set(data, offset);
      state.borrowed -= data.length;
    },
    seal: async () => ({pool: 'cellar', image: 'x', snapshot: 'snap'}),
    abandon: async () => {},
  };
  return {writer, state};
}

async function* chunks(data: Buffer, sizes: number[]) {
  for (let at = 0, step = 0; at < data.length; step++) {
    const size = sizes[step % sizes.length] ?? 1;
    yield data.subarray(at, at + size);
    at += size;
  }
}

const imageOf = (data: Buffer) =>
  record({size: data.length, osHashValue: createHash('sha512').update(data).digest('hex')});

function run(
  data: Buffer,
  writer: CopyWriter,
  {sizes = [granule], signal = never, inFlight = 2, image = imageOf(data)} = {},
) {
  const received: number[] = [];
  const options = {size: image.size ?? 0, inFlight, signal, onReceived: (bytes: number) => received.push(bytes)};
  return transfer(image, {length: undefined, body: chunks(data, sizes)}, writer, options).then(done => ({
    ...done,
    received,
  }));
}

const bodies = fc
  .tuple(fc.array(fc.boolean(), {minLength: 1, maxLength: 14}), fc.integer({min: 1, max: granule}))
  .map(([granules, tail]) =>
    Buffer.concat([...granules.map(data => (data ? randomBytes(granule) : Buffer.alloc(granule))), randomBytes(tail)]),
  );

test('chunks of any size make the same bytes, and writes never cross an object', async t => {
  const sizes = fc
    .array(fc.integer({min: 1, max: 3 * objectSize}), {minLength: 1, maxLength: 5})
    .filter(list => Math.max(...list) > 500);
  await fc.assert(
    fc.asyncProperty(bodies, sizes, async (data, sizes) => {
      const {writer, state} = memory(data.length);
      const {digests, verified, received} = await run(data, writer, {sizes});
      t.true(state.bytes.equals(data));
      t.true(verified);
      t.is(digests['sha512'], imageOf(data).osHashValue);
      t.is(received.at(-1), data.length);
      t.is(state.borrowed, 0);
      t.false(state.crossing);
      t.is(new Set(state.writes).size, state.writes.length);
    }),
    {numRuns: 60},
  );
});

test('zeros are not written, and what was written is counted', async t => {
  const data = Buffer.concat([Buffer.alloc(5 * objectSize), randomBytes(10)]);
  const {writer, state} = memory(data.length);
  t.is((await run(data, writer)).written, 10);
  t.deepEqual(state.writes, [5 * objectSize]);
});

test('memory is bounded: never more than the objects in flight and the one being gathered, all of them used again', async t => {
  const data = randomBytes(40 * objectSize);
  const {writer, state} = memory(data.length, async () => {
    for (let count = 0; count < 20; count++) await turn();
  });
  await run(data, writer, {inFlight: 3, sizes: [objectSize + 1]});
  t.is(state.most, 3 * objectSize);
  t.true(state.buffers.size <= 4, `${state.buffers.size} buffers`);
});

const data = randomBytes(3 * objectSize + 1);

test('a short body is refused, with both lengths told', async t => {
  const {writer} = memory(data.length);
  const error = await t.throwsAsync(run(data.subarray(1), writer, {image: imageOf(data)}), {instanceOf: CellarError});
  t.is(error?.kind, 'corrupt');
  t.regex(error?.message ?? '', new RegExp(`sent ${data.length - 1} bytes .* says ${data.length}$`));
});

test('an empty body is refused', async t => {
  const {writer} = memory(1);
  t.is(
    (await t.throwsAsync(run(Buffer.alloc(0), writer, {image: record({size: 1})}), {instanceOf: CellarError}))?.kind,
    'corrupt',
  );
});

test('a long body is refused as soon as it is too long, and nothing is written beyond the end', async t => {
  const {writer, state} = memory(data.length);
  const long = Buffer.concat([data, randomBytes(9 * objectSize)]);
  const error = await t.throwsAsync(run(long, writer, {image: imageOf(data)}), {instanceOf: CellarError});
  t.is(error?.kind, 'corrupt');
  t.regex(error?.message ?? '', /sent at least/);
  t.true(state.writes.every(offset => offset < data.length));
});

test('other bytes of the right length are refused', async t => {
  const {writer} = memory(data.length);
  const other = Buffer.from(data);
  other[7] = (other[7] ?? 0) ^ 1;
  const error = await t.throwsAsync(run(other, writer, {image: imageOf(data)}), {instanceOf: CellarError});
  t.is(error?.kind, 'corrupt');
  t.regex(error?.message ?? '', /their sha512 is/);
});

for (const offset of [0, objectSize, 3 * objectSize]) {
  test(`the error of the write at ${offset} comes out, and nothing is said to be done`, async t => {
    const {writer} = memory(data.length, async at => {
      await turn();
      if (at === offset) throw new CellarError('no-space', 'the pool is full');
    });
    const error = await t.throwsAsync(run(data, writer), {instanceOf: CellarError});
    t.is(error?.kind, 'no-space');
  });
}

test('an abort ends it between two chunks', async t => {
  const abort = new AbortController();
  const {writer, state} = memory(data.length, async () => abort.abort(new Error('stop')));
  await t.throwsAsync(run(data, writer, {signal: abort.signal}), {message: 'stop'});
  t.true(state.writes.length < 4);
});

test('an abort after the last chunk is seen too: nothing unfinished is called done', async t => {
  const abort = new AbortController();
  const {writer} = memory(data.length);
  async function* body() {
    yield data;
    abort.abort(new Error('stop'));
  }
  const options = {size: data.length, inFlight: 2, signal: abort.signal, onReceived: () => {}};
  await t.throwsAsync(transfer(imageOf(data), {length: undefined, body: body()}, writer, options), {message: 'stop'});
});
