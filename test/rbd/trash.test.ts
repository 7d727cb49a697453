/** Disks in the trash of their pool, on real Ceph. */
import {randomUUID} from 'node:crypto';
import test from 'ava';
import {recover} from '../../src/core/recover.ts';
import {makeWorld, types} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {freshName, never, someBytes, someIntent} from '../suites/subject.ts';
import {idOf} from './by-hand.ts';
import {realCell} from './real-cell.ts';

const subject = realCell(test);

test('what was put in the trash by hand is no removal that was broken off', async t => {
  const {cell, ceph, flat, pools} = await subject();
  const disk = {pool: pools.disks, name: freshName('disk')};
  await flat(disk, Buffer.from('x'));
  await ceph.rbd('trash', 'mv', `${disk.pool}/${disk.name}`);
  t.false(await cell.trash.holds(disk, never));
  t.regex(await ceph.rbd('trash', 'ls', disk.pool), new RegExp(disk.name));
});

test('recovery finishes the removal of a disk that a killed agent of this host had begun: no object of it is left', async t => {
  const real = await subject();
  const {cell, flat, halfRemove, rados, pools} = real;
  const host = randomUUID();
  const disk = {pool: pools.disks, name: freshName('disk')};
  await flat(disk, someBytes());
  const id = await idOf(real, disk);
  await halfRemove(disk);
  await cell.intents.put(disk, someIntent({host}), undefined, never);
  const world = makeWorld(cell, new FakeImages(), {host});
  await recover(world, never);
  t.deepEqual(types(world), ['disk-repaired']);
  t.false((await rados(pools.disks, 'ls')).includes(id));
  t.false(await cell.trash.holds(disk, never));
  t.is(await cell.intents.get(disk, never), undefined);
});
