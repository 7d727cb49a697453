import {createHash, randomBytes} from 'node:crypto';
import {setTimeout as sleep, setImmediate as turn} from 'node:timers/promises';
import test from 'ava';
import fc from 'fast-check';
import {CellarError} from '../../src/core/errors.ts';
import {Inspector} from '../../src/core/format/index.ts';
import type {CopyWriter} from '../../src/core/ports.ts';
import {transfer} from '../../src/core/transfer.ts';
import {record} from './facts.ts';
import {never} from './world.ts';

const KiB = 1024;

/** Keeps what was appended, and counts the chunks that it has borrowed at once. */
function memory(onAppend: (offset: number) => Promise<unknown> = turn) {
  const state = {bytes: Buffer.alloc(0), appends: [] as number[], borrowed: 0, most: 0, finished: false};
  let [promised, taken] = [0, Promise.resolve()];
  const take = async (chunk: Uint8Array, offset: number) => {
    await onAppend(offset);
    state.bytes = Buffer.concat([state.bytes, chunk]);
    state.borrowed--;
  };
  const writer: CopyWriter = {
    append: async chunk => {
      const offset = promised;
      promised += chunk.length;
      state.appends.push(offset);
      state.most = Math.max(state.most, ++state.borrowed);
      taken = taken.then(() => take(chunk, offset));
      await taken;
    },
    finish: async () => {
      await taken;
      state.finished = true;
      const digests = {sha512: createHash('sha512').update(state.bytes).digest('hex')};
      return {received: state.bytes.length, written: 7, digests};
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

function run(data: Buffer, writer: CopyWriter, {sizes = [64 * KiB], signal = never, image = imageOf(data)} = {}) {
  const received: number[] = [];
  const options = {
    size: image.size ?? 0,
    signal,
    onReceived: (bytes: number) => received.push(bytes),
    inspector: new Inspector(),
  };
  return transfer(image, {length: undefined, body: chunks(data, sizes)}, writer, options).then(done => ({
    ...done,
    received,
  }));
}

test('chunks of any size arrive in order, and the writer is asked for the digests and the count of what was written', async t => {
  const bodies = fc.uint8Array({minLength: 1, maxLength: 5000}).map(bytes => Buffer.from(bytes));
  const sizes = fc.array(fc.integer({min: 1, max: 3000}), {minLength: 1, maxLength: 5});
  await fc.assert(
    fc.asyncProperty(bodies, sizes, async (data, sizes) => {
      const {writer, state} = memory();
      const {digests, verified, written, received} = await run(data, writer, {sizes});
      t.true(state.bytes.equals(data));
      t.true(verified);
      t.is(digests['sha512'], imageOf(data).osHashValue);
      t.is(written, 7);
      t.is(received.at(-1), data.length);
      t.is(state.borrowed, 0);
    }),
    {numRuns: 60},
  );
});

test('a writer that takes its time holds the body up: no more than 32 chunks are under way', async t => {
  const data = randomBytes(100 * KiB);
  const {writer, state} = memory(() => sleep(1));
  await run(data, writer, {sizes: [KiB]});
  t.is(state.most, 32);
});

const data = randomBytes(3 * 64 * KiB + 1);

test('a short body is refused, with both lengths told', async t => {
  const {writer} = memory();
  const error = await t.throwsAsync(run(data.subarray(1), writer, {image: imageOf(data)}), {instanceOf: CellarError});
  t.is(error?.kind, 'corrupt');
  t.regex(error?.message ?? '', new RegExp(`sent ${data.length - 1} bytes .* says ${data.length}$`));
});

test('an empty body is refused', async t => {
  const {writer} = memory();
  t.is(
    (await t.throwsAsync(run(Buffer.alloc(0), writer, {image: record({size: 1})}), {instanceOf: CellarError}))?.kind,
    'corrupt',
  );
});

test('a long body is refused as soon as it is too long, and nothing is written beyond the end', async t => {
  const {writer, state} = memory();
  const long = Buffer.concat([data, randomBytes(9 * 64 * KiB)]);
  const error = await t.throwsAsync(run(long, writer, {image: imageOf(data)}), {instanceOf: CellarError});
  t.is(error?.kind, 'corrupt');
  t.regex(error?.message ?? '', /sent at least/);
  t.true(state.appends.length > 0);
  t.true(state.bytes.length <= data.length);
});

test('other bytes of the right length are refused', async t => {
  const {writer} = memory();
  const other = Buffer.from(data);
  other[7] = (other[7] ?? 0) ^ 1;
  const error = await t.throwsAsync(run(other, writer, {image: imageOf(data)}), {instanceOf: CellarError});
  t.is(error?.kind, 'corrupt');
  t.regex(error?.message ?? '', /their sha512 is/);
});

for (const offset of [0, 64 * KiB, 3 * 64 * KiB]) {
  test(`the error of the append at ${offset} comes out, and nothing is said to be done`, async t => {
    const {writer} = memory(async at => {
      await turn();
      if (at === offset) throw new CellarError('no-space', 'the pool is full');
    });
    const error = await t.throwsAsync(run(data, writer), {instanceOf: CellarError});
    t.is(error?.kind, 'no-space');
  });
}

test('an abort ends it between two chunks', async t => {
  const abort = new AbortController();
  const {writer, state} = memory(async () => abort.abort(new Error('stop')));
  await t.throwsAsync(run(data, writer, {signal: abort.signal}), {message: 'stop'});
  t.true(state.appends.length < 4);
});

test('an abort after the last chunk is seen too: nothing unfinished is called done', async t => {
  const abort = new AbortController();
  const {writer, state} = memory();
  async function* body() {
    yield data;
    abort.abort(new Error('stop'));
  }
  const options = {size: data.length, signal: abort.signal, onReceived: () => {}, inspector: new Inspector()};
  await t.throwsAsync(transfer(imageOf(data), {length: undefined, body: body()}, writer, options), {message: 'stop'});
  t.false(state.finished);
});
