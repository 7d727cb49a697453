/** Images in Glance that are not raw. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {novaLab} from '../../lab/nova/shared.ts';
import {run} from '../../lab/run.ts';
import {openstack, type Uploaded} from '../../lab/shared.ts';

/** A qcow2 image, compressed, of a disk with these bytes. */
export async function uploadQcow2(bytes: Buffer): Promise<Uploaded> {
  const dir = mkdtempSync(join(novaLab().state.dir, 'qcow2-'));
  try {
    const [raw, packed] = [join(dir, 'raw'), join(dir, 'qcow2')];
    writeFileSync(raw, bytes);
    await run('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, packed]);
    return await openstack().uploadImage({path: packed, diskFormat: 'qcow2'});
  } finally {
    rmSync(dir, {recursive: true});
  }
}
