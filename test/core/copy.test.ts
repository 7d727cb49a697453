import {createHash, randomBytes} from 'node:crypto';
import test from 'ava';
import * as cache from '../../src/core/cache.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeConverter} from '../fakes/converter.ts';
import {FakeImages} from '../fakes/images.ts';
import {makeWorld, resolve, types} from './world.ts';

const mib = 1024 * 1024;

/** A qcow2 header of version 3, as much as an inspector wants to see, and some bytes that stand for clusters. */
function qcow2(virtualSize: number, change: (header: Buffer) => void = () => {}): Buffer {
  const header = Buffer.alloc(65_536);
  header.write('QFI\xfb', 'latin1');
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(16, 20); // cluster bits
  header.writeBigUInt64BE(BigInt(virtualSize), 24);
  header.writeUInt32BE(1, 36); // entries of the L1 table
  header.writeBigUInt64BE(65_536n, 40); // where it is
  header.writeBigUInt64BE(131_072n, 48); // the table of reference counts
  header.writeUInt32BE(1, 56);
  header.writeUInt32BE(4, 96);
  header.writeUInt32BE(104, 100);
  change(header);
  return Buffer.concat([header, Buffer.alloc(3 * 65_536)]);
}

function place() {
  const cell = new FakeCell();
  const images = new FakeImages();
  const converter = new FakeConverter(cell);
  const world = {...makeWorld(cell, images), converter};
  return {cell, images, converter, world};
}

test('a qcow2 image is spooled, shown to QEMU, converted, and its disk is what the copy holds', async t => {
  const {cell, images, converter, world} = place();
  converter.disk = Buffer.concat([randomBytes(mib), Buffer.alloc(3 * mib)]);
  const image = images.add(qcow2(converter.disk.length), {diskFormat: 'qcow2', virtualSize: converter.disk.length});
  const disk = await resolve(world, {image: image.id});
  t.is(disk.outcome, 'filled');
  t.is(disk.size, converter.disk.length);
  t.is(disk.glanceBytes, image.data.length);
  t.true(cell.read({pool: 'vms', name: 'disk'}).equals(converter.disk));
  t.true(converter.spooled[0]?.equals(image.data));
  t.deepEqual(converter.converted, [{driver: 'qcow2', copy: disk.parent.image}]);
  t.is(converter.open, 0, 'nothing is left in the spool');
  const again = await resolve(world, {image: image.id, name: 'second'});
  t.is(again.outcome, 'cloned-from-cache');
  t.is(images.downloads.length, 1);
});

test('a converted copy is known by what was in the cluster when it was sealed, and a byte that changes later is found', async t => {
  const {cell, images, converter, world} = place();
  converter.disk = Buffer.concat([randomBytes(5 * mib), Buffer.alloc(3 * mib)]);
  const image = images.add(qcow2(converter.disk.length), {diskFormat: 'qcow2'});
  let sealed = Buffer.alloc(0);
  cell.before = step => {
    if (step !== 'seal') return;
    const [copy] = cell.images.values();
    copy?.data.fill(1, 4 * mib, 4 * mib + 1); // whoever wrote it, and whatever qemu-img meant to be there
    sealed = Buffer.from(copy?.data ?? []);
  };
  await resolve(world, {image: image.id});
  const sha512 = (data: Buffer) => createHash('sha512').update(data).digest();
  const leaves = [sealed.subarray(0, 4 * mib), sealed.subarray(4 * mib)].map(sha512);
  const entry = JSON.parse(cell.entries.get(image.id) ?? '{}');
  t.is(entry.rawDigest, `sha512-4MiB:${sha512(Buffer.concat(leaves)).toString('hex')}`);
  t.true((await cache.verify(image.id, world, {signal: new AbortController().signal})).intact);
  cell.images
    .get(`cellar/${entry.rbdImage}`)
    ?.snapshots.get('snap')
    ?.data.fill(2, 7 * mib, 7 * mib + 1);
  t.false((await cache.verify(image.id, world, {signal: new AbortController().signal})).intact);
});

const refused: {name: string; data: Buffer; diskFormat: string; why: RegExp; opinion?: string}[] = [
  {name: 'raw that is qcow2', data: qcow2(mib), diskFormat: 'raw', why: /disk_format is raw, but it is qcow2/},
  {
    name: 'qcow2 that is raw',
    data: randomBytes(2 * mib),
    diskFormat: 'qcow2',
    why: /disk_format is qcow2, but it is not/,
  },
  {
    name: 'qcow2 with a backing file',
    data: qcow2(mib, header => {
      header.writeBigUInt64BE(104n, 8);
      header.writeUInt32BE(11, 16);
    }),
    diskFormat: 'qcow2',
    why: /backing file/,
  },
  {
    name: 'a disk larger than any may be',
    data: qcow2(2 ** 50),
    diskFormat: 'qcow2',
    why: /at most 1099511627776 are allowed/,
  },
  {
    name: 'what QEMU sees otherwise',
    data: qcow2(mib),
    diskFormat: 'qcow2',
    why: /QEMU is not pleased/,
    opinion: 'QEMU is not pleased',
  },
];

for (const {name, data, diskFormat, why, opinion} of refused) {
  test(`${name} is refused, and nothing is written, kept or published`, async t => {
    const {cell, images, converter, world} = place();
    if (opinion !== undefined) converter.opinion = {ok: false, why: opinion};
    const written: string[] = [];
    cell.before = step => void written.push(step);
    const image = images.add(data, {diskFormat});
    const error = await t.throwsAsync(resolve(world, {image: image.id}), {message: why});
    t.like(error, {kind: 'unacceptable'});
    t.false(written.includes('write'));
    t.is(cell.images.size, 0);
    t.is(cell.entries.size, 0);
    t.is(cell.claims.size, 0);
    t.is(converter.open, 0);
    t.deepEqual(converter.converted, []);
    t.true(types(world).includes('fill-failed'));
  });
}

test('a conversion that fails leaves no copy, and the next request converts again', async t => {
  const {cell, images, converter, world} = place();
  converter.disk = randomBytes(mib);
  const image = images.add(qcow2(mib), {diskFormat: 'qcow2'});
  cell.before = step => {
    if (step === 'convert') throw new Error('qemu-img died');
  };
  await t.throwsAsync(resolve(world, {image: image.id}), {message: /qemu-img died/});
  t.is(cell.images.size, 0);
  cell.before = () => {};
  t.is((await resolve(world, {image: image.id})).outcome, 'filled');
  t.true(cell.read({pool: 'vms', name: 'disk'}).equals(converter.disk));
});

test('ISO is stored as it comes; a location with the file of another format is no parent', async t => {
  const {cell, images, world} = place();
  const iso = Buffer.alloc(2 * mib);
  iso.write('CD001', 32_769, 'latin1');
  iso[32_768] = 1;
  const image = images.add(iso, {diskFormat: 'iso'});
  const parent = {pool: 'images', image: image.id, snapshot: 'snap'};
  cell.put(parent, iso);
  image.locations = [{url: `rbd://${cell.id}/images/${image.id}/snap`, metadata: {}}];
  const disk = await resolve(world, {image: image.id});
  t.is(disk.outcome, 'filled');
  t.regex(disk.roads[0]?.why ?? '', /holds the file, which is iso/);
  t.true(cell.read({pool: 'vms', name: 'disk'}).equals(iso));
});
