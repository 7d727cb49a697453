/** What is tried with the simulated cell, and what it costs. */
import type {Entry} from '../../src/core/entry.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {rbdCell} from '../../src/rbd/cell.ts';
import type {RunningCeph} from '../../test/lab/ceph.ts';
import {run} from '../../test/lab/run.ts';
import {connectAs} from '../../test/rbd/real-cell.ts';
import {percentile} from '../stats.ts';
import type {Fleet} from './fleet.ts';
import {paperId} from './glance.ts';
import type {Boots} from './hosts.ts';
import {counting, type Ops} from './ops.ts';

export type Site = {
  ceph: RunningCeph;
  fleet: Fleet;
  pools: {cache: string; disks: string};
  user: string;
  say: (line: string) => void;
};

export type BootsFound = {
  hosts: number;
  disks: number;
  perDisk: Ops;
  p50Ms: number;
  p99Ms: number;
  perSecond: number;
  glanceRecords: number;
};

/** Disks of an image that the cell has, on so many hosts at once. */
export async function boots({ceph, fleet}: Site, image: string, hosts: number, disks: number): Promise<BootsFound> {
  const before = await fleet.counts();
  const {value, ops, ms} = await counting(ceph.base, () => fleet.boot(hosts, {image, disks, prefix: `boot${hosts}`}));
  const made = successes(value, hosts * disks);
  const after = await fleet.counts();
  return {
    hosts,
    disks: made,
    perDisk: each(ops, made),
    p50Ms: percentile(value.ms, 0.5),
    p99Ms: percentile(value.ms, 0.99),
    perSecond: (made / ms) * 1000,
    glanceRecords: (after.records - before.records) / made,
  };
}

export type HerdFound = {hosts: number; downloads: number; perHost: Ops; firstMs: number; lastMs: number};

/** One disk on each of so many hosts at once, of an image that the cell has not. What the fill itself costs is in `fill`, and taken off. */
export async function herd({ceph, fleet}: Site, image: string, hosts: number, fill: Ops): Promise<HerdFound> {
  const before = await fleet.counts();
  const {value, ops} = await counting(ceph.base, () =>
    fleet.boot(hosts, {image, disks: 1, prefix: `herd-${image.slice(-4)}`}),
  );
  successes(value, hosts);
  const downloads = (await fleet.counts()).downloads - before.downloads;
  const beyond = hosts > 1 ? each(minus(ops, fill), hosts - 1) : each(ops, 1);
  return {hosts, downloads, perHost: beyond, firstMs: Math.min(...value.ms), lastMs: Math.max(...value.ms)};
}

export type KilledFound = {
  hosts: number;
  killed: number;
  outcomes: Record<string, number>;
  leaseMs: number;
  lastMs: number;
};

/** The filler is killed in mid-fill, with all hosts of its process. The others' last disk, counted from the kill. */
export async function killed({fleet}: Site, image: string, leaseMs: number): Promise<KilledFound> {
  const {promise: filling, resolve} = Promise.withResolvers<number>();
  fleet.onFilling = process => resolve(process);
  const booting = fleet.boot(fleet.hosts, {image, disks: 1, prefix: 'killed'});
  const process = await Promise.race([filling, booting.then(() => Promise.reject(new Error('nobody filled')))]);
  const begin = performance.now();
  await fleet.kill(process);
  const {ms, outcomes, failed} = await booting;
  if (failed.length > 0) throw new Error(`${failed.length} disks failed: ${failed[0]}`);
  return {hosts: ms.length, killed: fleet.hosts - ms.length, outcomes, leaseMs, lastMs: performance.now() - begin};
}

export type IdleFound = {hosts: number; usage: Ops; election: Ops};

/** What every host does once in a janitor_interval: it writes down what was used, and asks who the janitor is. Per host. */
export async function idle({ceph, fleet}: Site): Promise<IdleFound> {
  const usage = await counting(ceph.base, () => fleet.flush());
  if (!(await fleet.holdJanitor())) throw new Error('the janitor’s lease is taken');
  const election = await counting(ceph.base, () => fleet.sweep(fleet.hosts));
  await fleet.releaseJanitor();
  if (election.value !== 0) throw new Error('two janitors at once');
  return {hosts: fleet.hosts, usage: each(usage.ops, fleet.hosts), election: each(election.ops, fleet.hosts)};
}

export type RoundFound = {entries: number; objects: number; ops: Ops; ms: number; glanceRecords: number};

/** One round of the cell's janitor. */
export async function round({ceph, fleet, pools}: Site, entries: number): Promise<RoundFound> {
  const before = await fleet.counts();
  const {value, ops, ms} = await counting(ceph.base, () => fleet.sweep(1));
  if (value !== 1) throw new Error('there was no round');
  const records = (await fleet.counts()).records - before.records;
  return {entries, objects: await objectsIn(ceph, pools.cache), ops, ms, glanceRecords: records};
}

/** Index entries of images that nobody has: what lists and rounds cost depends on their number only. */
export async function addEntries({ceph, pools, user}: Site, from: number, to: number): Promise<void> {
  const cell = rbdCell({
    binding: loadBinding(),
    connect: connectAs(ceph, user),
    pool: pools.cache,
    cloneFormat: 'auto',
    leaseDuration: 30_000,
    busyTimeout: 5000,
    holder: 'bench',
  });
  const {signal} = new AbortController();
  try {
    for (let n = from; n < to; n++) {
      const entry = paperEntry(paperId(n + 1));
      await cell.index.claim(entry.image, entry.generation, signal);
      if (!(await cell.index.publish(entry, undefined, signal))) throw new Error('it was not published');
    }
  } finally {
    await cell.close();
  }
}

/** Objects as those of copies: the janitor's listing meets them. */
export async function addObjects({ceph, pools}: Site, count: number): Promise<void> {
  const args = ['-c', ceph.conf, '-p', pools.cache, 'bench', '600', 'write', '-b', '16', '-t', '64'];
  await run('rados', [...args, '--max-objects', String(count), '--no-cleanup'], {timeoutMs: 600_000});
}

async function objectsIn({conf}: RunningCeph, pool: string): Promise<number> {
  const listed = await run('rados', ['-c', conf, '-p', pool, 'ls'], {timeoutMs: 300_000});
  return listed.split('\n').filter(Boolean).length;
}

function successes({ms, failed}: Boots, expected: number): number {
  if (failed.length > 0) throw new Error(`${failed.length} disks failed: ${failed[0]}`);
  if (ms.length !== expected) throw new Error(`${ms.length} disks were made instead of ${expected}`);
  return ms.length;
}

const over = (ops: Ops, change: (value: number, name: keyof Ops) => number): Ops => ({
  all: change(ops.all, 'all'),
  reads: change(ops.reads, 'reads'),
  writes: change(ops.writes, 'writes'),
  inBytes: change(ops.inBytes, 'inBytes'),
  outBytes: change(ops.outBytes, 'outBytes'),
});

const each = (ops: Ops, count: number): Ops => over(ops, value => value / count);
const minus = (ops: Ops, other: Ops): Ops => over(ops, (value, name) => value - other[name]);

const paperEntry = (image: string): Entry => ({
  schema: 1,
  image,
  generation: '0123456789abcdef',
  rbdImage: `${image}.0123456789abcdef`,
  snapshot: 'snap',
  size: 10 * 1024 ** 3,
  stored: 2 * 1024 ** 3,
  ownReadable: true,
  source: {
    diskFormat: 'raw',
    size: 10 * 1024 ** 3,
    digests: {md5: '0'.repeat(32), sha512: '0'.repeat(128)},
    verified: true,
  },
  rawDigest: '0'.repeat(128),
  created: '2026-01-01T00:00:00.000Z',
  host: 'host1',
});

/** Bytes of an entry and its key, as the index has them. */
export const entryBytes = JSON.stringify(paperEntry(paperId(1))).length + paperId(1).length;
