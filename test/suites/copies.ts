/** The contract of `Copies` and its writer (src/core/ports.ts), for every implementation. */
import {createHash, randomBytes, randomUUID} from 'node:crypto';
import type {DiskDigestForm} from '../../src/core/digest.ts';
import {CellarError} from '../../src/core/errors.ts';
import {copyName} from '../../src/core/fill.ts';
import {freshName, MiB, never, type Subject, type Suite, someBytes} from './subject.ts';

const newName = () => copyName(randomUUID(), randomBytes(8).toString('hex'));

/** A sealed copy of these bytes, which came in chunks of these sizes, again and again. */
async function sealedCopy({cell}: Subject, data: Buffer, {sizes = [data.length], digests = [] as string[]} = {}) {
  const name = newName();
  const writer = await cell.copies.create(name, data.length, never, {digests, inFlight: 2});
  const appends: Promise<void>[] = [];
  for (let at = 0; at < data.length; ) {
    const length = sizes[appends.length % sizes.length] ?? data.length;
    appends.push(writer.append(data.subarray(at, at + length)));
    at += length;
  }
  const written = await writer.finish();
  await Promise.all(appends);
  return {name, writer, written, parent: await writer.seal(never)};
}

export const copiesSuite: Suite = (test, name, makeSubject) => {
  test(`${name}: a sealed copy can be cloned: what was appended is read back`, async t => {
    const subject = await makeSubject();
    const {cell, pools} = subject;
    const data = someBytes();
    const {name, parent} = await sealedCopy(subject, data);
    t.deepEqual(parent, {pool: cell.copies.pool, image: name, snapshot: 'snap'});
    t.deepEqual(await cell.disks.parentState(parent, never), {clonable: true, size: data.length});
    const disk = {pool: pools.disks, name: freshName('disk')};
    await cell.disks.clone(parent, disk, never);
    t.true((await subject.read(disk)).equals(data));
    t.true((await subject.other.copies.list(never)).includes(name));
  });

  test(`${name}: chunks of any size make the same bytes, and the writer tells their digests`, async t => {
    const subject = await makeSubject();
    const data = someBytes();
    const options = {sizes: [1, 65_537, 3 * MiB, 5 * MiB + 1], digests: ['md5', 'sha256', 'sha512']};
    const {written, parent} = await sealedCopy(subject, data, options);
    t.is(written.received, data.length);
    for (const algo of options.digests) {
      t.is(written.digests[algo], createHash(algo).update(data).digest('hex'), algo);
    }
    const disk = {pool: subject.pools.disks, name: freshName('disk')};
    await subject.cell.disks.clone(parent, disk, never);
    t.true((await subject.read(disk)).equals(data));
  });

  test(`${name}: zeros are not written, in granules of 64 KiB, and not counted`, async t => {
    const granule = 64 * 1024;
    const subject = await makeSubject();
    const data = Buffer.alloc(9 * MiB + 10);
    for (const at of [3 * granule, 4 * MiB - 1, 9 * MiB + 9]) data[at] = 1;
    const {written} = await sealedCopy(subject, data, {sizes: [MiB + 1]});
    t.is(written.written, 2 * granule + 10);
    t.deepEqual(Object.keys(written.digests), ['sha512']);
    t.is((await sealedCopy(subject, Buffer.alloc(5 * MiB))).written.written, 0);
  });

  test(`${name}: an image without a byte is a copy too`, async t => {
    const {written} = await sealedCopy(await makeSubject(), Buffer.alloc(0));
    t.deepEqual(written, {received: 0, written: 0, digests: {sha512: createHash('sha512').digest('hex')}});
  });

  test(`${name}: more than the image holds is refused, and so is anything after the end`, async t => {
    const {cell} = await makeSubject();
    const writer = await cell.copies.create(newName(), 1000, never);
    await writer.append(randomBytes(999));
    t.is((await t.throwsAsync(writer.append(randomBytes(2)), {instanceOf: CellarError}))?.kind, 'internal');
    await writer.append(randomBytes(1));
    t.is((await writer.finish()).received, 1000);
    for (const again of [writer.append(Buffer.alloc(0)), writer.finish()]) {
      t.is((await t.throwsAsync(again, {instanceOf: CellarError}))?.kind, 'internal');
    }
    await writer.abandon();
  });

  test(`${name}: before it is sealed a copy is listed and cannot be cloned; abandoned it stays until it is removed`, async t => {
    const {cell} = await makeSubject();
    const image = newName();
    const writer = await cell.copies.create(image, 1000, never);
    await writer.append(randomBytes(1000));
    await writer.abandon();
    await writer.abandon();
    t.true((await cell.copies.list(never)).includes(image));
    t.false((await cell.disks.parentState({pool: cell.copies.pool, image, snapshot: 'snap'}, never)).clonable);
    await cell.copies.remove(image, never);
    t.false((await cell.copies.list(never)).includes(image));
  });

  test(`${name}: abandoning a sealed copy changes nothing`, async t => {
    const subject = await makeSubject();
    const {writer, parent} = await sealedCopy(subject, someBytes());
    await writer.abandon();
    t.true((await subject.cell.disks.parentState(parent, never)).clonable);
  });

  test(`${name}: a name is given once: creating it again is a conflict, and the first one stays`, async t => {
    const subject = await makeSubject();
    const {name, parent} = await sealedCopy(subject, someBytes());
    const again = subject.cell.copies.create(name, 1, never);
    t.is((await t.throwsAsync(again, {instanceOf: CellarError}))?.kind, 'conflict');
    t.true((await subject.cell.disks.parentState(parent, never)).clonable);
  });

  test(`${name}: a copy is removed sealed or not, by anybody; absent is fine`, async t => {
    const subject = await makeSubject();
    const {name, parent} = await sealedCopy(subject, someBytes());
    for (let count = 0; count < 2; count++) await subject.other.copies.remove(name, never);
    t.false((await subject.cell.copies.list(never)).includes(name));
    t.false((await subject.cell.disks.parentState(parent, never)).clonable);
  });

  test(`${name}: half a copy is listed, and removed`, async t => {
    const {cell, tear} = await makeSubject();
    const name = newName();
    await tear({pool: cell.copies.pool, name});
    t.true((await cell.copies.list(never)).includes(name));
    await cell.copies.remove(name, never);
    t.false((await cell.copies.list(never)).includes(name));
  });

  test(`${name}: a copy with clones is not removed: a conflict, and it stays whole; without them it goes`, async t => {
    const subject = await makeSubject();
    const {cell, pools} = subject;
    const data = someBytes();
    const {name, parent} = await sealedCopy(subject, data);
    const [disk, next] = [freshName('disk'), freshName('disk')].map(name => ({pool: pools.disks, name}));
    if (!disk || !next) return t.fail();
    await cell.disks.clone(parent, disk, never);
    t.is((await t.throwsAsync(cell.copies.remove(name, never), {instanceOf: CellarError}))?.kind, 'conflict');
    t.is(await cell.disks.clone(parent, next, never), 'cloned');
    for (const clone of [disk, next]) {
      t.true((await subject.read(clone)).equals(data));
      await cell.disks.remove(clone, never);
    }
    await cell.copies.remove(name, never);
    t.false((await cell.copies.list(never)).includes(name));
  });

  test(`${name}: a copy has clones from the first to the last; one that is not sealed or not there has none`, async t => {
    const subject = await makeSubject();
    const {cell, other, pools} = subject;
    const {name, parent} = await sealedCopy(subject, someBytes());
    t.false(await cell.copies.hasClones(name, never));
    const disks = [freshName('disk'), freshName('disk')].map(name => ({pool: pools.disks, name}));
    for (const disk of disks) {
      await cell.disks.clone(parent, disk, never);
      t.true(await other.copies.hasClones(name, never));
    }
    for (const disk of disks) {
      t.true(await other.copies.hasClones(name, never));
      await cell.disks.remove(disk, never);
    }
    t.false(await other.copies.hasClones(name, never));
    const half = newName();
    const writer = await cell.copies.create(half, 1000, never);
    t.false(await cell.copies.hasClones(half, never));
    await writer.abandon();
    await cell.copies.remove(half, never);
    t.false(await cell.copies.hasClones(half, never));
  });

  const sha512 = (data: Buffer) => createHash('sha512').update(data);

  /** Data, holes between it, a piece that is nothing but zeros, and a last one that is shorter than the others. */
  const holed = (tail: number) => {
    const data = Buffer.alloc(17 * MiB + tail);
    for (const [at, length] of [
      [0, 100],
      [5 * MiB + 1, MiB],
      [17 * MiB - 1, 1],
    ] as const)
      randomBytes(length).copy(data, at);
    return data;
  };

  /** sha512 of the sha512s of every 4 MiB. */
  function ofPieces(data: Buffer): string {
    const leaves: Buffer[] = [];
    for (let at = 0; at < data.length; at += 4 * MiB) leaves.push(sha512(data.subarray(at, at + 4 * MiB)).digest());
    return sha512(Buffer.concat(leaves)).digest('hex');
  }

  for (const [what, data] of [
    ['with holes', holed(0)],
    ['with holes and an odd end', holed(70_001)],
    ['without a hole', randomBytes(9 * MiB + 1)],
    ['of nothing but zeros', Buffer.alloc(9 * MiB + 1)],
    ['without a byte', Buffer.alloc(0)],
  ] as const) {
    test(`${name}: the digest of a copy ${what} is that of its bytes, whole and in pieces`, async t => {
      const subject = await makeSubject();
      const {name, written} = await sealedCopy(subject, data);
      const digest = (form: DiskDigestForm) => subject.other.copies.digest(name, 'snap', never, {form});
      const {length: size} = data;
      const stored = written.written;
      t.deepEqual(await digest('whole'), {digest: sha512(data).digest('hex'), size, stored});
      t.deepEqual(await digest('pieces'), {digest: ofPieces(data), size, stored});
    });
  }

  test(`${name}: the progress of a digest grows, and ends with the last byte`, async t => {
    const subject = await makeSubject();
    const data = someBytes();
    const {name} = await sealedCopy(subject, data);
    const told: number[] = [];
    await subject.cell.copies.digest(name, 'snap', never, {form: 'pieces', onProgress: done => told.push(done)});
    t.deepEqual(
      told,
      told.toSorted((a, b) => a - b),
    );
    t.is(told.at(-1), data.length);
  });

  test(`${name}: a digest that nobody waits for any more ends, and what is not there is not found`, async t => {
    const subject = await makeSubject();
    const {cell} = subject;
    const {name} = await sealedCopy(subject, someBytes());
    const form = 'whole';
    const left = AbortSignal.abort(new Error('enough'));
    await t.throwsAsync(cell.copies.digest(name, 'snap', left, {form}), {message: 'enough'});
    await cell.copies.remove(name, never); // nobody holds it any more
    for (const image of [name, newName()]) {
      const error = await t.throwsAsync(cell.copies.digest(image, 'snap', never, {form}), {instanceOf: CellarError});
      t.is(error?.kind, 'not-found');
    }
  });
};
