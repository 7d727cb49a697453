/** What the two cephx keys may do, by trying it with a probe of a few bytes. */
import {isRbdError} from '../../rbd/errors.ts';
import type {NativeCluster, NativePool} from '../../rbd/native.ts';
import {type Check, fail, ok, type Seen, warn} from '../check.ts';
import type {Context} from '../context.ts';
import {probeName, removeDead, tryClone, withProbe} from '../probe.ts';

export const capsChecks: Check[] = [
  {
    id: 'agent-caps',
    title: "the agent's key can make a copy in the cache pool, and a disk of it in every disk pool",
    needs: ['pools'],
    async run(context) {
      const {connect, pool, diskPools} = context.settings().ceph;
      const cluster = await context.cluster();
      const needed = [pool, ...diskPools].map(name => `profile rbd pool=${name}`);
      const mend = lacking(connect.user, needed);
      const failed: Seen[] = [];
      await using cache = await openPool(cluster, pool);
      try {
        await removeDead(cluster, [...diskPools, pool]);
        await withProbe(cache.pool, async name => {
          for (const diskPool of diskPools) {
            await using disks = await openPool(cluster, diskPool);
            await tryClone(cache.pool, disks.pool, name, formatOf(context)).catch(error => {
              failed.push(
                fail(`client.${connect.user} cannot make disks in ${diskPool}: ${refused(error).message}`, mend),
              );
            });
          }
        });
      } catch (error) {
        failed.push(fail(`client.${connect.user} cannot make copies in ${pool}: ${refused(error).message}`, mend));
      }
      return failed.length > 0
        ? failed
        : ok(`client.${connect.user} can make copies in ${pool} and disks in ${diskPools.join(', ')}`);
    },
  },
  {
    id: 'nova-caps',
    title: "Nova's key can make disks of copies, and cannot write to the cache pool",
    needs: ['agent-caps'],
    async run(context) {
      const {connect, pool, diskPools} = context.settings().ceph;
      const {user, conf} = context.nova;
      const disks = context.config.get('libvirt', 'images_rbd_pool');
      const readOnly = `profile rbd-read-only pool=${pool}`;
      const mend = lacking(user, [`profile rbd pool=${disks}`, readOnly]);
      if (user === connect.user)
        return fail(
          `Nova and the agent both use client.${user}`,
          "give Nova a key of its own: [libvirt] rbd_user, and see 'What the cell's Ceph needs'",
        );
      let nova: NativeCluster;
      try {
        nova = await context.novaCluster();
      } catch (error) {
        return warn(
          `what client.${user} may do was not tried, its key cannot be used here: ${(error as Error).message}`,
          `sudo cellar doctor, or look yourself with \`ceph --conf ${conf} auth get client.${user}\`: ${mend}`,
        );
      }
      await using mine = await openPool(await context.cluster(), pool);
      return await withProbe(mine.pool, async name => {
        const seen: Seen[] = [];
        await using cache = await openPool(nova, pool);
        await using own = await openPool(nova, disks);
        await tryClone(cache.pool, own.pool, name, formatOf(context)).catch(error => {
          seen.push(
            fail(`client.${user} cannot make disks in ${disks} of copies in ${pool}: ${refused(error).message}`, mend),
          );
        });
        if (await canWrite(cache.pool))
          seen.push(
            fail(
              `client.${user} can write to ${pool}: Nova would put snapshots of instances there, and \`server image create\` would fail`,
              `in its osd caps, put \`${readOnly}\` in place of what lets it write to ${pool}; ${keepsNothing(user)}`,
            ),
          );
        if (!diskPools.includes(disks))
          seen.push(warn(`Nova's pool ${disks} is none of [image_store] disk_pools`, 'add it there'));
        return seen.length > 0
          ? seen
          : ok(`client.${user} can make disks in ${disks} of copies in ${pool}, and cannot write there`);
      });
    },
  },
];

/** Never a whole `ceph auth caps` line: what else the user has, for volumes or images, is not for us to see, and would be gone. */
const lacking = (user: string, needed: string[]): string =>
  `its osd caps must contain ${needed.map(one => `\`${one}\``).join(' and ')}, its mon caps \`profile rbd\`: add what is missing; ${keepsNothing(user)}`;

const keepsNothing = (user: string): string =>
  `\`ceph auth caps\` replaces all caps, so give it everything that \`ceph auth get client.${user}\` shows, with this change`;

/** What the key may not do is a finding; whatever else went wrong is no matter of caps. */
function refused(error: unknown): Error {
  if (isRbdError(error, 'EPERM', 'EACCES')) return error;
  throw error;
}

async function canWrite(pool: NativePool): Promise<boolean> {
  const object = probeName();
  try {
    await pool.createExclusive(object);
  } catch (error) {
    if (isRbdError(error, 'EPERM', 'EACCES')) return false;
    throw error;
  }
  await pool.removeObject(object);
  return true;
}

/** As configured; `auto` is left to librbd, which asks the cluster. */
function formatOf({settings}: Context): 1 | 2 | undefined {
  const {cloneFormat} = settings().ceph;
  return cloneFormat === 'auto' ? undefined : cloneFormat === '1' ? 1 : 2;
}

async function openPool(cluster: NativeCluster, name: string): Promise<AsyncDisposable & {pool: NativePool}> {
  const pool = await cluster.openPool(name);
  return {pool, [Symbol.asyncDispose]: () => pool.close()};
}
