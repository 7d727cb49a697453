export type Room = {used: number; available: number};

type Df = {
  stats: {total_bytes: number};
  pools?: {name: string; stats: {stored: number; max_avail: number}}[];
};

/**
 * The pool's line of `ceph df`: bytes as they are stored, and as many as still can be, so that replication is in neither
 * (`bytes_used` has it, and is no partner for `max_avail`). The statistics come from the ceph-mgr: a cluster that says it has no
 * bytes at all never had one. A pool that is full has 0 available, which is an answer.
 */
export function roomOf(df: string, pool: string): Room | undefined {
  const {stats, pools = []} = JSON.parse(df) as Df;
  const found = pools.find(({name}) => name === pool);
  if (found === undefined || stats.total_bytes === 0) return undefined;
  return {used: found.stats.stored, available: found.stats.max_avail};
}
