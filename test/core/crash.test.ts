/** kill -9 before every step that a request makes: the next request is right, and nothing is left over. */
import {randomBytes} from 'node:crypto';
import test from 'ava';
import {recover} from '../../src/core/recover.ts';
import {removeRetired} from '../../src/core/retire.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {makeWorld, never, resolve} from './world.ts';

const disk = {pool: 'vms', name: 'disk'};
const size = 1024 * 1024;
const bytes = () => randomBytes(300_000);

/** What was there before the request that is killed. */
const scenes = {
  'an empty cell': async () => {},
  'a cell with the copy': async (cell: FakeCell, images: FakeImages, image: string) => {
    await resolve(makeWorld(cell, images), {image, name: 'warm'});
  },
  'a torn disk of an earlier run': async (cell: FakeCell, images: FakeImages, image: string) => {
    const {parent} = await resolve(makeWorld(cell, images), {image, name: 'warm'});
    cell.torn.add('vms/disk');
    const intent = {schema: 1, host: 'node1', run: 'dead', since: new Date().toISOString(), image, parent} as const;
    await cell.intents.put(disk, intent, undefined);
  },
  'a copy of another file': async (cell: FakeCell, images: FakeImages, image: string) => {
    const {data} = images.records.get(image) ?? {data: Buffer.alloc(0)};
    images.add(bytes(), {id: image});
    await resolve(makeWorld(cell, images), {image, name: 'gone'});
    cell.images.delete('vms/gone');
    images.add(data, {id: image});
  },
};

async function setUp(scene: keyof typeof scenes) {
  const cell = new FakeCell();
  const images = new FakeImages();
  images.chunk = 128 * 1024;
  const {id, data} = images.add(bytes());
  await scenes[scene](cell, images, id);
  return {cell, images, id, data};
}

/** The steps of one request that nobody kills. */
async function stepsOf(scene: keyof typeof scenes): Promise<string[]> {
  const {cell, images, id} = await setUp(scene);
  const steps: string[] = [];
  cell.before = step => {
    steps.push(step);
  };
  await resolve(makeWorld(cell, images), {image: id, size});
  return steps;
}

for (const scene of Object.keys(scenes) as (keyof typeof scenes)[]) {
  for (const repeat of [true, false]) {
    test(`killed before any of its steps in ${scene}, ${repeat ? 'the next request' : 'recovery alone'} puts everything right`, async t => {
      const steps = await stepsOf(scene);
      t.true(steps.length >= 8, steps.join(' '));
      for (const [kill, step] of steps.entries()) {
        const {cell, images, id, data} = await setUp(scene);
        let at = 0;
        cell.before = () => {
          if (at++ >= kill) throw new Error('killed');
        };
        await t.throwsAsync(resolve(makeWorld(cell, images, {run: 'killed'}), {image: id, size}), undefined, step);

        cell.before = () => {};
        cell.held.clear(); // the leases of the dead have ended
        const world = makeWorld(cell, images);
        const expected = Buffer.concat([data, Buffer.alloc(size - data.length)]);
        if (repeat) {
          await resolve(world, {image: id, size});
          t.true(cell.read(disk).equals(expected), step);
        }
        await recover(world, never);
        await removeRetired(world, never);
        const left = [cell.journal, cell.claims, cell.held, cell.torn, cell.retiredCopies].map(({size}) => size);
        t.deepEqual(left, [0, 0, 0, 0, 0], step);
        const copies = [...cell.images.keys()].filter(name => name.startsWith('cellar/'));
        const named = [...cell.entries.values()].map(text => `cellar/${JSON.parse(text).rbdImage}`);
        t.deepEqual(copies, named, step);
        if (!repeat && cell.images.has('vms/disk')) t.true(cell.read(disk).subarray(0, data.length).equals(data), step);
      }
    });
  }
}
