import {createHash, randomBytes} from 'node:crypto';
import test from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import {RbdError} from '../../src/rbd/rbd-error.ts';
import {eventually, MiB} from './helpers.ts';

const {hasher, counters} = loadBinding();
const hex = (algo: string, data: Buffer) => createHash(algo).update(data).digest('hex');

test('digests are of all chunks in order, whatever their sizes', async t => {
  const data = randomBytes(5 * MiB + 3);
  const hashing = hasher(['md5', 'sha256', 'sha512', 'md5']);
  const updates: Promise<void>[] = [];
  for (let at = 0; at < data.length; ) {
    const length = [1, 70_001, MiB + 1, 0][updates.length % 4] ?? 0;
    updates.push(hashing.update(data.subarray(at, at + length)));
    at += length;
  }
  const finished = hashing.finish();
  await Promise.all(updates);
  t.deepEqual(await finished, {md5: hex('md5', data), sha256: hex('sha256', data), sha512: hex('sha512', data)});
  await hashing.close();
});

test('a chunk may be used again once its promise has settled, and promises settle in order', async t => {
  const hashing = hasher(['sha512']);
  const chunk = Buffer.alloc(100_000);
  const expected = createHash('sha512');
  for (let count = 0; count < 50; count++) {
    expected.update(chunk.fill(count));
    await hashing.update(chunk);
  }
  const settled: number[] = [];
  const more = Array.from({length: 50}, (_, at) => hashing.update(chunk).then(() => settled.push(at)));
  for (const _ of more) expected.update(chunk);
  const digests = await hashing.finish();
  t.deepEqual(
    settled,
    Array.from({length: 50}, (_, at) => at),
  );
  t.is(digests['sha512'], expected.digest('hex'));
  await hashing.close();
});

test('of nothing there is a digest too; after finish() there is no update() and no other finish()', async t => {
  const hashing = hasher(['sha512']);
  t.deepEqual(await hashing.finish(), {sha512: hex('sha512', Buffer.alloc(0))});
  for (const call of [hashing.update(Buffer.alloc(1)), hashing.finish()]) {
    const error = await t.throwsAsync(call, {instanceOf: RbdError, message: /Invalid argument \(after finish\(\)\)$/});
    t.is(error?.code, 'EINVAL');
  }
  await Promise.all([hashing.close(), hashing.close()]);
});

test('hasher() throws for digests there are not, and is made by nobody else', async t => {
  for (const [digests, reason] of [
    [['md6'], 'there is no digest md6'],
    [['shake128'], 'there is no digest shake128'],
    [[], 'no digest is wanted'],
  ] as const)
    t.throws(() => hasher([...digests]), {
      instanceOf: RbdError,
      message: new RegExp(`Invalid argument \\(${reason}\\)$`),
    });
  t.throws(() => hasher('md5' as never), {instanceOf: TypeError, message: /digests must be an array/});
  const hashing = hasher(['md5']);
  await t.throwsAsync(hashing.update('text' as never), {instanceOf: TypeError, message: /chunk must be a Uint8Array$/});
  t.throws(() => new (hashing.constructor as new () => unknown)(), {message: 'Illegal constructor'});
  await hashing.close();
});

test.serial('a small one does not wait for large ones that have all the threads', async t => {
  const chunk = Buffer.alloc(MiB);
  const finished: string[] = [];
  const one = async (what: string, chunks: number) => {
    const hashing = hasher(['sha512']);
    for (let count = 0; count < chunks; count++) void hashing.update(chunk);
    await hashing.finish();
    finished.push(what);
    await hashing.close();
  };
  await Promise.all([...Array.from({length: 12}, () => one('large', 64)), one('small', 1)]);
  t.is(finished[0], 'small');
});

test('many work side by side, and leave nothing behind', async t => {
  const data = randomBytes(3 * MiB);
  await Promise.all(
    Array.from({length: 24}, async () => {
      const hashing = hasher(['sha512']);
      for (let at = 0; at < data.length; at += 65_536) void hashing.update(data.subarray(at, at + 65_536));
      t.is((await hashing.finish())['sha512'], hex('sha512', data));
      await hashing.close();
    }),
  );
  t.true(await eventually(() => Object.values(counters()).every(count => count === 0)));
});
