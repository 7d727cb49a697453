import test from 'ava';
import {FillBoard} from '../../src/core/board.ts';
import {formatBulletin} from '../../src/core/bulletin.ts';
import {fillLease} from '../../src/core/fill.ts';
import {FakeCell} from '../fakes/cell.ts';
import {FakeImages} from '../fakes/images.ts';
import {makeWorld, never} from './world.ts';

const image = '5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01';
const generation = '0123456789abcdef';

async function setUp() {
  const cell = new FakeCell();
  const world = makeWorld(cell, new FakeImages());
  const board = new FillBoard(world);
  await cell.index.claim(image, generation);
  return {cell, board};
}

test('a fill of another host is shown with what its filler tells', async t => {
  const {cell, board} = await setUp();
  const lease = await cell.leases.acquire(fillLease(image));
  const told = {image, generation, host: 'compute-7', received: 5, size: 9};
  lease?.tell(formatBulletin(told));
  t.deepEqual(await board.look(never), [{...told, state: 'filling'}]);
  lease?.tell(formatBulletin({...told, received: 8}));
  await new Promise(resolve => setImmediate(resolve));
  t.like((await board.look(never))[0], {received: 8});
  board.close();
});

test('what is told of another generation, or is no bulletin, is not believed; a dead filler is nobody', async t => {
  const {cell, board} = await setUp();
  const lease = await cell.leases.acquire(fillLease(image));
  lease?.tell(formatBulletin({image, generation: 'another', host: 'compute-7', received: 5, size: 9}));
  const nothing = {image, generation, host: null, received: null, size: null};
  t.deepEqual(await board.look(never), [{...nothing, state: 'filling'}]);
  await lease?.release();
  t.deepEqual(await board.look(never), [{...nothing, state: 'left'}]);
  await cell.index.unclaim(image, generation);
  t.deepEqual(await board.look(never), []);
  board.close();
});
