/** The contract of `Copies` and its writer (src/core/ports.ts), for every implementation. */
import {randomBytes, randomUUID} from 'node:crypto';
import {CellarError} from '../../src/core/errors.ts';
import {copyName} from '../../src/core/fill.ts';
import {freshName, never, type Subject, type Suite, someBytes} from './subject.ts';

const newName = () => copyName(randomUUID(), randomBytes(8).toString('hex'));

/** A sealed copy of these bytes, of which only the first and the last 1000 were written. */
async function sealedCopy({cell}: Subject, data: Buffer) {
  const name = newName();
  const writer = await cell.copies.create(name, data.length, never);
  const last = data.length - 1000;
  await Promise.all([writer.write(0, data.subarray(0, 1000)), writer.write(last, data.subarray(last))]);
  return {name, writer, parent: await writer.seal(never)};
}

export const copiesSuite: Suite = (test, name, makeSubject) => {
  test(`${name}: a sealed copy can be cloned: what was written is read back, what was not is zeros`, async t => {
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

  test(`${name}: before it is sealed a copy is listed and cannot be cloned; abandoned it stays until it is removed`, async t => {
    const {cell} = await makeSubject();
    const image = newName();
    const writer = await cell.copies.create(image, 1000, never);
    t.true(Math.log2(writer.objectSize) % 1 === 0);
    await writer.write(0, randomBytes(1000));
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
};
