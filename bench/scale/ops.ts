/** What the cluster's one OSD has done, by its own counters. */
import {join} from 'node:path';
import {run} from '../../test/lab/run.ts';

/**
 * Client operations: all, those that only read, the others; bytes that came in and went out with them. An operation that fails
 * (a lock that is taken, an object that is not there) is among `all` only: the OSD sorts those that succeed.
 */
export type Ops = {all: number; reads: number; writes: number; inBytes: number; outBytes: number};

export async function opsSoFar(base: string): Promise<Ops> {
  const socket = join(base, 'run', 'osd.0.asok');
  const {osd} = JSON.parse(await run('ceph', ['--admin-daemon', socket, 'perf', 'dump', 'osd'], {timeoutMs: 30_000}));
  return {
    all: osd.op_before_dequeue_op_lat.avgcount, // with one replica nothing but clients' operations is queued
    reads: osd.op_r,
    writes: osd.op_w + osd.op_rw,
    inBytes: osd.op_in_bytes,
    outBytes: osd.op_out_bytes,
  };
}

/** What the OSD did during the work, and how long it took. */
export async function counting<V>(base: string, work: () => Promise<V>): Promise<{value: V; ops: Ops; ms: number}> {
  const before = await opsSoFar(base);
  const begin = performance.now();
  const value = await work();
  const ms = performance.now() - begin;
  const after = await opsSoFar(base);
  const less = (name: keyof Ops) => after[name] - before[name];
  return {
    value,
    ms,
    ops: {
      all: less('all'),
      reads: less('reads'),
      writes: less('writes'),
      inBytes: less('inBytes'),
      outBytes: less('outBytes'),
    },
  };
}
