/** An agent in a process of its own, to be killed: it holds a lease, or has a copy open for writing. */
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import {loadBinding} from '../../src/rbd/binding.ts';
import {rbdCell} from '../../src/rbd/cell.ts';
import {cellCluster} from '../lab/shared.ts';
import {connectAs} from './real-cell.ts';

export type AgentWork = {
  user: string;
  pool: string;
  leaseDuration: number;
  /** Name of a lease to hold. */
  hold?: string;
  /** Name of a lease to follow. */
  follow?: string;
  /** Name of a copy to write to, for ever. */
  write?: string;
};

/** Runs the file with `work` as its argument; resolves when it says something. */
export async function start(file: string, work: unknown) {
  const child = spawn(process.execPath, [file, JSON.stringify(work)], {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = once(child, 'close'); // not 'exit', which may come before what it said
  const ready = once(child.stdout, 'data').then(() => true);
  if (!(await Promise.race([ready, ended.then(() => false)]))) throw new Error(`the process of ${file} ended`);
  return {child, ended};
}

/** Resolves when it has done what it was told; then it hangs on to it. `kill` is SIGKILL, and waits for the end. */
export async function agentProcess(work: AgentWork): Promise<{child: ChildProcess; kill: () => Promise<void>}> {
  const {child, ended} = await start(fileURLToPath(import.meta.url), work);
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return {child, kill};
}

async function main({user, pool, leaseDuration, hold, follow, write}: AgentWork) {
  const cell = rbdCell({
    binding: loadBinding(),
    connect: connectAs(cellCluster(), user),
    pool,
    cloneFormat: 'auto',
    leaseDuration,
    busyTimeout: 1000,
    holder: 'a process to be killed',
  });
  const {signal} = new AbortController();
  if (hold !== undefined && (await cell.leases.acquire(hold, signal)) === undefined) throw new Error('it is held');
  if (follow !== undefined && (await cell.leases.follow(follow, signal)) === undefined) throw new Error('it is free');
  if (write !== undefined) {
    const writer = await cell.copies.create(write, 2 ** 40, signal);
    const object = Buffer.alloc(4 << 20, 1);
    await writer.append(object);
    setInterval(() => writer.append(object).catch(() => {}), 100);
  }
  process.stdout.write('ready');
  setInterval(() => {}, 1000);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(JSON.parse(process.argv[2] ?? '{}'));
