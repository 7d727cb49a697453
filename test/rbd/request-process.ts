/** One request of an agent in a process of its own, to be killed. */
import {createHash} from 'node:crypto';
import {fileURLToPath} from 'node:url';
import type {SnapshotSpec} from '../../src/core/ports.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {rbdCell} from '../../src/rbd/cell.ts';
import {makeWorld, resolve} from '../core/world.ts';
import {FakeImages} from '../fakes/images.ts';
import {cellCluster} from '../lab/shared.ts';
import {MiB, never} from '../suites/subject.ts';
import {connectAs} from './real-cell.ts';

export type RequestWork = {
  user: string;
  cache: string;
  disks: string;
  /** Its id; the host is called so too. */
  image: string;
  leaseDuration: number;
  /** Where Glance shows the image in the cell's cluster. */
  parent?: SnapshotSpec;
};

/** The same bytes for the same id, in every process. */
export function bytesOf(image: string): Buffer {
  const data = Buffer.alloc(17 * MiB + 5, createHash('sha512').update(image).digest());
  for (let at = 0; at < data.length - 4; at += MiB / 4) data.writeUInt32LE(at, at);
  return data;
}

export function imagesOf({image, parent}: RequestWork, fsid: string): FakeImages {
  const images = new FakeImages();
  const url = parent && `rbd://${fsid}/${parent.pool}/${parent.image}/${parent.snapshot}`;
  images.add(bytesOf(image), {id: image, locations: url ? [{url, metadata: {}}] : []});
  return images;
}

async function main(work: RequestWork) {
  const {user, cache, disks, image, leaseDuration} = work;
  const cell = rbdCell({
    binding: loadBinding(),
    connect: connectAs(cellCluster(), user),
    pool: cache,
    cloneFormat: 'auto',
    leaseDuration,
    busyTimeout: 1000,
    holder: 'a process to be killed',
  });
  const images = imagesOf(work, await cell.fsid(never));
  await cell.copies.list(never); // both sessions are there
  process.stdout.write('ready');
  await resolve(makeWorld(cell, images, {host: image}), {image, pool: disks, name: `disk-${image}`, size: 20 * MiB});
  process.exit(0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(JSON.parse(process.argv[2] ?? '{}'));
