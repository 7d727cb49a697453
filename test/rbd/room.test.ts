import test from 'ava';
import {roomOf} from '../../src/rbd/room.ts';
import {privateCeph} from '../lab/shared.ts';
import {never} from '../suites/subject.ts';
import {make} from './real-cell.ts';

/** As `ceph df --format=json` says it, of a cluster that keeps three copies of everything. */
const df = ({total = 9000, stored = 100, available = 900} = {}) =>
  JSON.stringify({
    stats: {total_bytes: total},
    pools: [
      {name: 'vms', stats: {stored: 1, bytes_used: 3, max_avail: 2}},
      {name: 'cellar', stats: {stored, bytes_used: stored * 3, max_avail: available}},
    ],
  });

test('used and available are in the same measure: replication is in neither', t => {
  t.deepEqual(roomOf(df(), 'cellar'), {used: 100, available: 900});
});

test('a full pool has no room, which is an answer; without statistics or without the pool there is none', t => {
  t.deepEqual(roomOf(df({available: 0}), 'cellar'), {used: 100, available: 0});
  t.is(roomOf(df({total: 0, stored: 0, available: 0}), 'cellar'), undefined);
  t.is(roomOf(JSON.stringify({stats: {total_bytes: 0}, pools: []}), 'cellar'), undefined);
  t.is(roomOf(df(), 'other'), undefined);
});

for (const mgr of [true, false]) {
  test.serial(
    `a cluster ${mgr ? 'with' : 'without'} a ceph-mgr ${mgr ? 'tells' : 'does not tell'} how full the pool is`,
    async t => {
      const undo: (() => Promise<unknown>)[] = [];
      await using ceph = await privateCeph({mgr, objectstore: 'memstore'});
      try {
        const {cell} = await make(ceph, {}, undo);
        const name = 'data';
        const writer = await cell.copies.create(name, 8 << 20, never);
        await writer.abandon();
        const told = async () => {
          for (const end = performance.now() + 40_000; performance.now() < end; ) {
            const room = await cell.copies.room(never);
            if (room !== undefined && room.used > 0) return room;
            await new Promise(resolve => setTimeout(resolve, mgr ? 500 : 40_000));
          }
          return undefined;
        };
        const room = mgr ? await told() : await cell.copies.room(never);
        t.is(room !== undefined, mgr);
        if (room !== undefined) t.true(room.available > 0 && room.used < room.available);
      } finally {
        for (const step of undo.reverse()) await step();
      }
    },
  );
}
