/** A cell with some copies in its cache, for tests of what becomes of them. */
import type {Entry} from '../../src/core/entry.ts';
import type {Limits} from '../../src/core/world.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {makeWorld, never, resolve} from './world.ts';

export const MiB = 1024 * 1024;

/** `count` images of a mebibyte each, cached a day ago and with a disk each (`vms/d0` and so on), the first used longest ago. Only then the limits are set. */
export async function cachedCell(count: number, limits: Partial<Limits> = {}) {
  const cell = new FakeCell();
  const images = new FakeImages();
  const world = makeWorld(cell, images);
  const entries: Entry[] = [];
  const created = new Date(Date.now() - 24 * 3_600_000).toISOString();
  for (let number = 0; number < count; number++) {
    const {id} = images.add(Buffer.alloc(MiB, number + 1));
    await resolve(world, {image: id, name: `d${number}`});
    const entry: Entry = {...JSON.parse(cell.entries.get(id) ?? '{}'), created};
    cell.entries.set(id, JSON.stringify(entry));
    entries.push(entry);
    world.usage.touch(id, Date.now() - (count - number) * 60_000);
  }
  await world.usage.flush(cell.usage, never);
  world.events.length = 0;
  Object.assign(world.limits, limits);
  return {cell, images, world, entries};
}

/** The images that the index names. */
export const cachedIn = (cell: FakeCell): string[] => [...cell.entries.keys()];

export const isThere = (cell: FakeCell, {rbdImage}: {rbdImage: string}): boolean =>
  cell.images.has(`cellar/${rbdImage}`);
