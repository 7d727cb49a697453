import {join} from 'node:path';
import {writeImage} from '../helpers/bytes.ts';
import type {Cluster} from '../lab/cluster.ts';
import type {OpenStack} from '../lab/openstack.ts';
import {step} from './say.ts';

export type DemoImage = {id: string; path: string; size: number};

/** `far`: only in Glance's cluster. `near`: also has a location in the cell's own. */
export type DemoImages = {far: DemoImage; near: DemoImage};

type Place = {base: string; size: number; cell: Cluster; openstack: OpenStack};

export async function prepareImages({base, size, cell, openstack}: Place): Promise<DemoImages> {
  const mib = Math.round(size / 1024 / 1024);
  const path = join(base, 'image.raw');
  const nearPath = join(base, 'near.raw');
  await step(`making a raw image of ${mib} MiB, half of it zeros`, () => writeImage(path, size, size / 2));
  const far = await step('uploading it to Glance', () => openstack.uploadImage({path, name: 'demo'}));
  const near = await step("uploading a small one, and putting a copy of it into the cell's own cluster", async () => {
    await writeImage(nearPath, 64 * 1024 * 1024, 32 * 1024 * 1024);
    const uploaded = await openstack.uploadImage({path: nearPath, name: 'near'});
    await importImage(cell, nearPath, `images/${uploaded.id}`);
    await openstack.addLocation(uploaded.id, `rbd://${cell.fsid}/images/${uploaded.id}/snap`);
    return uploaded;
  });
  return {far: {...far, path}, near: {...near, path: nearPath}};
}

/** As a Glance store for this cell would hold it: named by its id, with a protected snapshot `snap`. */
async function importImage(cell: Cluster, path: string, image: string): Promise<void> {
  await cell.rbd('import', '--no-progress', '--image-format=2', path, image);
  await cell.rbd('snap', 'create', '--no-progress', `${image}@snap`);
  await cell.rbd('snap', 'protect', `${image}@snap`);
}
