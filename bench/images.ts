/** Images of the bench: made, uploaded, and shown to everybody as new ones as often as a cold start is needed. */
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {writeImage} from '../test/helpers/bytes.ts';
import {apiCall} from '../test/lab/keystone-api.ts';
import type {OpenStack} from '../test/lab/openstack.ts';
import {run} from '../test/lab/run.ts';
import type {LabState} from '../test/lab/state.ts';
import type {ImageSize} from './sizes.ts';

/** An image in Glance, and the file it came from. */
export type BenchImage = AsyncDisposable & {id: string; path: string; sha512: string; diskFormat: string; size: number};

type Shop = {lab: LabState; openstack: OpenStack};

/** A raw image with random data in its first part; disposing of it removes the file and the image. */
export async function rawImage({lab, openstack}: Shop, name: string, {size, data}: ImageSize): Promise<BenchImage> {
  const path = join(lab.base, `${name}.raw`);
  await writeImage(path, size, data);
  return upload(openstack, path, 'raw', size);
}

/** The same disk as qcow2, as `qemu-img convert` makes it. `size` stays the disk's. */
export async function qcow2Image({lab, openstack}: Shop, name: string, raw: BenchImage): Promise<BenchImage> {
  const path = join(lab.base, `${name}.qcow2`);
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw.path, path], {timeoutMs: 600_000});
  return upload(openstack, path, 'qcow2', raw.size);
}

async function upload(openstack: OpenStack, path: string, diskFormat: string, size: number): Promise<BenchImage> {
  const {id, sha512} = await openstack.uploadImage({path, diskFormat, name: 'bench'});
  const remove = async () => {
    rmSync(path, {force: true});
    await openstack.deleteImage(id);
  };
  return {id, path, sha512, diskFormat, size, [Symbol.asyncDispose]: remove};
}

/**
 * A new image id whose bytes are the other image's, where those lie: nobody has ever seen it, and nothing was uploaded. Glance
 * is given the hash, as an upload would have left it. Its record stays behind when the other image goes: a lab is for one run.
 */
export async function freshId({lab, openstack}: Shop, {id, sha512, diskFormat}: BenchImage): Promise<string> {
  const token = await openstack.token(openstack.admin);
  const images = `${openstack.glanceUrl}/v2/images`;
  const body = {name: 'bench', visibility: 'public', container_format: 'bare', disk_format: diskFormat};
  const fresh = await apiCall<{id: string}>(images, {token, method: 'POST', body});
  const value = {
    url: `rbd://${lab.glance.fsid}/images/${id}/snap`,
    metadata: {},
    validation_data: {os_hash_algo: 'sha512', os_hash_value: sha512},
  };
  const headers = {'Content-Type': 'application/openstack-images-v2.1-json-patch'};
  const patch = [{op: 'add', path: '/locations/-', value}];
  await apiCall(`${images}/${fresh.id}`, {token, method: 'PATCH', headers, body: patch});
  return fresh.id;
}

/** Puts a copy of a raw image into the cell's own cluster, as a Glance store there would hold it, and tells Glance. */
export async function addCellLocation({lab, openstack}: Shop, {id, path}: BenchImage): Promise<void> {
  const rbd = (...args: string[]) => run('rbd', ['-c', join(lab.cell.base, 'ceph.conf'), ...args]);
  await rbd('import', '--no-progress', '--image-format=2', path, `images/${id}`);
  await rbd('snap', 'create', '--no-progress', `images/${id}@snap`);
  await rbd('snap', 'protect', `images/${id}@snap`);
  await openstack.addLocation(id, `rbd://${lab.cell.fsid}/images/${id}/snap`);
}
