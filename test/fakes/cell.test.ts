/** The cell in memory earns its trust by the suites that real Ceph passes. */
import test from 'ava';
import {cellSuites} from '../suites/all.ts';
import {FakeCell} from './cell.ts';

cellSuites(test, 'in memory', async () => {
  const cell = new FakeCell();
  return {
    cell,
    other: cell,
    pools: {disks: 'vms', images: 'images'},
    put: async (spec, data) => cell.put(spec, data),
    flat: async ({pool, name}, data) => {
      cell.put({pool, image: name, snapshot: 'none'}, data);
      cell.images.get(`${pool}/${name}`)?.snapshots.clear();
    },
    snapshot: async ({pool, name}, snapshot) => {
      const image = cell.images.get(`${pool}/${name}`);
      image?.snapshots.set(snapshot, {protected: false, data: image.data});
    },
    tear: async ({pool, name}) => {
      cell.torn.add(`${pool}/${name}`);
    },
    halfRemove: async ({pool, name}) => {
      cell.images.delete(`${pool}/${name}`);
      cell.trashed.add(`${pool}/${name}`);
    },
    read: async disk => cell.read(disk),
  };
});
