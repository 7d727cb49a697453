import {CellarError} from '../core/errors.ts';
import {Reader, text, u64} from './encoding.ts';
import {call} from './header.ts';
import type {NativeCluster, NativeImage, NativePool, ParentSpec} from './native.ts';

/**
 * Does the parent list this child? rbd_list_children3 would tell too, but it opens every pool of the cluster that has a
 * child and fails on the first one our key may not read (somebody's volumes, say). The two places where librbd keeps the
 * link are asked directly, each with one class call:
 * - clone format 1: `rbd_children` in the CHILD's pool, cls rbd `get_children` (parent pool, image id, snapshot) -> image ids
 * - clone format 2: the PARENT's header, cls rbd `children_list` (snapshot) -> pool, image id, namespace of each
 */
export async function isRegistered(
  child: {pool: NativePool; id: string},
  parent: Pick<ParentSpec, 'imageId' | 'snapshotId'>,
  parentPool: NativePool,
): Promise<boolean> {
  const [first, second] = await Promise.all([
    call(child.pool, 'rbd_children', 'get_children', [
      u64(parentPool.id),
      text(parent.imageId),
      u64(parent.snapshotId),
    ]),
    call(parentPool, `rbd_header.${parent.imageId}`, 'children_list', [u64(parent.snapshotId)]),
  ]);
  if (first !== undefined && decodeIds(first).includes(child.id)) return true;
  return (
    second !== undefined &&
    decodeChildren(second).some(({poolId, imageId}) => imageId === child.id && poolId === child.pool.id)
  );
}

/** The snapshot's clones of format 2. (One of format 1 shows when unprotecting fails.) */
export async function attachedChildren(
  pool: NativePool,
  image: NativeImage,
  snapshotId: number,
): Promise<{poolId: number; imageId: string}[]> {
  const {id} = await image.info();
  const answer = await call(pool, `rbd_header.${id}`, 'children_list', [u64(snapshotId)]);
  return answer === undefined ? [] : decodeChildren(answer);
}

/**
 * Fails when all of these children are in pools that are not there any more. Ceph leaves them written down in the parent, which
 * then can never be removed; that they are nobody's is for an operator to say.
 */
export async function checkPools(
  cluster: NativeCluster,
  children: readonly {poolId: number}[],
  parent: string,
): Promise<void> {
  const {output} = await cluster.monCommand(JSON.stringify({prefix: 'osd lspools', format: 'json'}));
  const pools = new Set((JSON.parse(output.toString()) as {poolnum: number}[]).map(({poolnum}) => poolnum));
  if (children.some(({poolId}) => pools.has(poolId))) return;
  const gone = [...new Set(children.map(({poolId}) => poolId))].join(', ');
  throw new CellarError(
    'conflict',
    `${parent} still lists ${children.length} clones, all in pools that were removed (id ${gone})`,
    {
      hint: 'Ceph keeps it for them, and has no command to strike them off; remove the disks of a pool before the pool',
      object: parent,
    },
  );
}

export const hasAttachedChildren = async (pool: NativePool, image: NativeImage, snapshotId: number): Promise<boolean> =>
  (await attachedChildren(pool, image, snapshotId)).length > 0;

/** set<string> */
export function decodeIds(answer: Buffer): string[] {
  const reader = new Reader(answer);
  return Array.from({length: reader.u32()}, () => reader.text());
}

/** set<cls::rbd::ChildImageSpec> */
export function decodeChildren(answer: Buffer): {poolId: number; imageId: string}[] {
  const reader = new Reader(answer);
  return Array.from({length: reader.u32()}, () => {
    const end = reader.structEnd();
    const child = {poolId: reader.i64(), imageId: reader.text()};
    reader.skipTo(end);
    return child;
  });
}
