/** Which file systems count as shared: the numbers are the kernel's. */
import {readFileSync} from 'node:fs';
import test from 'ava';
import {sharedKinds} from '../../src/base/directory.ts';

/** The kernel's own list, from the headers that every C compiler comes with. */
const magic = new Map(
  [...readFileSync('/usr/include/linux/magic.h', 'utf8').matchAll(/^#define\s+(\w+)\s+(0x[0-9a-f]+)/gim)].map(
    ([, name, number]) => [name, Number(number)],
  ),
);

for (const [name, kind] of [
  ['NFS_SUPER_MAGIC', 'NFS'],
  ['CIFS_SUPER_MAGIC', 'CIFS'],
  ['SMB2_SUPER_MAGIC', 'SMB'],
  ['CEPH_SUPER_MAGIC', 'CephFS'],
  ['FUSE_SUPER_MAGIC', 'FUSE'],
  ['OCFS2_SUPER_MAGIC', 'OCFS2'],
  ['V9FS_MAGIC', '9P'],
  ['AFS_SUPER_MAGIC', 'AFS'],
]) {
  test(`${name} is ${kind}`, t => {
    const number = magic.get(name ?? '');
    t.truthy(number);
    t.is(sharedKinds.get(number ?? 0), kind);
  });
}

test('a local disk is not shared', t => {
  for (const name of [
    'EXT4_SUPER_MAGIC',
    'XFS_SUPER_MAGIC',
    'BTRFS_SUPER_MAGIC',
    'TMPFS_MAGIC',
    'OVERLAYFS_SUPER_MAGIC',
  ])
    t.false(sharedKinds.has(magic.get(name) ?? 0), name);
});
