import {stat, statfs} from 'node:fs/promises';
import {CellarError} from '../core/errors.ts';
import {isCode} from './file.ts';

/** File systems that several hosts may have mounted, by the number that statfs(2) tells. virtiofs tells FUSE's. */
export const sharedKinds: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x00c36400, 'CephFS'],
  [0x65735546, 'FUSE'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x19830326, 'BeeGFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
]);

/**
 * The user that the directory of the base files belongs to; undefined when there is none. Fails with `config` when it may be
 * shared with other hosts: which of their processes have a file open cannot be seen from here.
 */
export async function ownerOf(directory: string): Promise<number | undefined> {
  try {
    const {uid} = await stat(directory);
    const kind = sharedKinds.get((await statfs(directory)).type);
    if (kind !== undefined) throw sharedBy(directory, kind);
    return uid;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

const sharedBy = (directory: string, kind: string) =>
  new CellarError('config', `${directory} is on ${kind}, which other hosts may share: its files are left alone`, {
    hint: 'put it on a local disk ([image_cache] subdirectory_name may be host-specific), or set [facade] remove_base_files = false',
    object: directory,
  });
