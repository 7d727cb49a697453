/** What a clone that was killed leaves (facts: four states, both clone formats), and what is done about it on real Ceph. */
import test, {type ExecutionContext} from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import type {DiskSpec, SnapshotSpec} from '../../src/core/ports.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, MiB, never, someBytes, someIntent} from '../suites/subject.ts';
import {cloneByHand, idOf, unregistered, withoutHeader, withoutParent, writeByHand} from './by-hand.ts';
import {type RealCell, realCell} from './real-cell.ts';

const subject = realCell(test);

/** An image that Glance shows in the cell's own cluster, and the name of a disk. */
async function setUp(cloneFormat: 1 | 2) {
  const real = await subject();
  const cell = real.agent({cloneFormat: `${cloneFormat}`});
  const images = new FakeImages();
  const data = someBytes();
  const parent: SnapshotSpec = {pool: real.pools.images, image: freshName('image'), snapshot: 'snap'};
  await real.put(parent, data);
  const url = `rbd://${await cell.fsid(never)}/${parent.pool}/${parent.image}/snap`;
  const image = images.add(data, {locations: [{url, metadata: {}}]});
  const disk: DiskSpec = {pool: real.pools.disks, name: freshName('disk')};
  const world = makeWorld(cell, images, {tornSettle: 300});
  const journal = () => cell.intents.put(disk, someIntent({run: 'dead', image: image.id, parent}), undefined, never);
  const ask = () => resolve(world, {image: image.id, ...disk, size: data.length + MiB});
  return {real, cell, world, data, parent, disk, journal, ask};
}

type Torn = (cell: RealCell, disk: DiskSpec, parent: SnapshotSpec, format: 1 | 2, size: number) => Promise<unknown>;

const states: [string, Torn, {opens: boolean}][] = [
  ['a name in the directory only', (cell, disk) => cell.tear(disk), {opens: false}],
  ['a name and an id, but no header', (cell, disk) => withoutHeader(cell, disk), {opens: false}],
  ['no parent: all zeros', (cell, disk, _parent, _format, size) => withoutParent(cell, disk, size), {opens: true}],
  [
    'a parent that does not list it',
    (cell, disk, parent, format) => unregistered(cell, parent, disk, format),
    {opens: true},
  ],
];

async function isLeftAlone(t: ExecutionContext, real: RealCell, disk: DiskSpec, ask: () => Promise<unknown>) {
  const before = await real.read(disk);
  const error = await t.throwsAsync(ask(), {instanceOf: CellarError});
  t.is(error?.kind, 'conflict', error?.message);
  t.regex(error?.hint ?? '', /left alone/);
  t.true((await real.read(disk)).equals(before));
}

for (const format of [1, 2] as const) {
  for (const [what, tear, {opens}] of states) {
    test(`clone format ${format}: of an earlier run, ${what}: it is repaired, and has the image's bytes`, async t => {
      const {real, cell, world, data, parent, disk, journal, ask} = await setUp(format);
      await tear(real, disk, parent, format, data.length);
      await journal();
      t.is((await ask()).outcome, 'cloned');
      t.true((await real.read(disk)).equals(Buffer.concat([data, Buffer.alloc(MiB)])));
      const state = await cell.disks.state(disk, never);
      t.deepEqual(state, {kind: 'image', size: data.length + MiB, parent, registered: true, empty: true});
      t.is(await cell.intents.get(disk, never), undefined);
      t.true(world.events.some(({type}) => type === 'disk-repaired'));
    });

    test(`clone format ${format}: of nobody we know, ${what}: it is ${opens ? 'left alone with 409' : 'repaired after a while'}`, async t => {
      const {real, cell, data, parent, disk, ask} = await setUp(format);
      await tear(real, disk, parent, format, data.length);
      if (opens) await isLeftAlone(t, real, disk, ask);
      else {
        t.is((await ask()).outcome, 'cloned');
        t.true((await real.read(disk)).subarray(0, data.length).equals(data));
      }
      t.is(await cell.intents.get(disk, never), undefined);
    });
  }
}

const precious = Buffer.from('precious');

const foreign: [string, Torn][] = [
  ['a flat image with data', (cell, disk) => cell.flat(disk, precious)],
  [
    'an empty image with a snapshot',
    async (cell, disk) => {
      await withoutParent(cell, disk, MiB);
      await cell.snapshot(disk, 'mine');
    },
  ],
  [
    'a clone of another image',
    async (cell, disk, parent) => {
      const other = {...parent, image: freshName('other')};
      await cell.put(other, precious);
      await cloneByHand(cell, other, disk, 1);
    },
  ],
  [
    'an unlisted clone of this image that was written to',
    async (cell, disk, parent) => {
      await unregistered(cell, parent, disk, 1);
      await writeByHand(cell, disk, 5 * MiB, precious);
    },
  ],
  [
    'a clone without data, but with a snapshot, that is not listed',
    async (cell, disk, parent) => {
      await unregistered(cell, parent, disk, 1);
      await cell.snapshot(disk, 'mine');
    },
  ],
];
for (const [what, make] of foreign) {
  test(`an intent of a dead run names ${what}: it is left alone byte for byte`, async t => {
    const {real, data, parent, disk, journal, ask} = await setUp(1);
    await make(real, disk, parent, 1, data.length);
    await journal();
    await isLeftAlone(t, real, disk, ask);
  });
}

for (const isJournalled of [false, true]) {
  test(`a disk with data whose parent is gone is no torn one, with an intent (${isJournalled}) or without: it keeps its data`, async t => {
    const {real, parent, disk, journal, ask} = await setUp(2);
    await unregistered(real, parent, disk, 2);
    await writeByHand(real, disk, 0, precious);
    const id = await idOf(real, disk);
    const {rbd} = real.ceph;
    await rbd('snap', 'unprotect', `${parent.pool}/${parent.image}@snap`);
    await rbd('snap', 'purge', `${parent.pool}/${parent.image}`);
    await rbd('rm', `${parent.pool}/${parent.image}`);
    await real.put({...parent, image: parent.image}, someBytes()); // another of that name: the request comes as far as the disk
    if (isJournalled) await journal();
    const error = await t.throwsAsync(ask(), {instanceOf: CellarError});
    t.is(error?.kind, 'conflict', error?.message);
    const left = (await real.rados(disk.pool, 'ls')).split('\n');
    for (const object of [`rbd_id.${disk.name}`, `rbd_header.${id}`, `rbd_data.${id}.0000000000000000`])
      t.true(left.includes(object), object);
  });
}
