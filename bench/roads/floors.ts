/**
 * The floors: what the cluster and Glance do at best, by the addon and node:http alone, in a process of its own with open
 * connections. One line of JSON on stdin asks, one on stdout answers; ends when stdin does. Argument: a ceph.conf.
 */
import http from 'node:http';
import {createInterface} from 'node:readline';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativeCluster, NativePool} from '../../src/rbd/native.ts';
import {RbdError} from '../../src/rbd/rbd-error.ts';
import {inFlight, timed} from '../interleave.ts';
import {type Block, readBlocks} from './blocks.ts';

type Parent = {pool: string; image: string; snapshot: string};
type Clones = {parent: Parent; pool: string; names: string[]; size: number; limit: number};
type Write = {pool: string; name: string; size: number; depth: number};

const deadlines = {clientMountTimeoutMs: 5000, osdOpTimeoutMs: 30_000, monOpTimeoutMs: 10_000};
const pools = new Map<string, NativePool>();
let blocks: Block[] = [];

await main(process.argv[2] ?? '');

async function main(conf: string): Promise<void> {
  const connect = (options: Record<string, string>) =>
    loadBinding().connect({user: 'cellar', conf, ...deadlines, options});
  const cluster = await connect({});
  const writing = await connect({rbd_cache: 'false'}); // as the agent's fills, and the quicker way to write once
  const calls = {
    clone: (call: Clones) => clone(cluster, call),
    load: async ({path}: {path: string}) => {
      blocks = await readBlocks(path);
      return {bytes: blocks.reduce((sum, {data}) => sum + data.length, 0)};
    },
    write: (call: Write) => write(writing, call),
    download,
    remove: async ({pool, names}: {pool: string; names: string[]}) => {
      const target = await poolOf(cluster, pool);
      await inFlight(names, 8, name => target.removeImage(name).catch(unlessAbsent));
      return {};
    },
    versions: async () => loadBinding().versions(),
  };
  for await (const line of createInterface({input: process.stdin})) {
    const {call, ...question} = JSON.parse(line) as {call: keyof typeof calls};
    const answer = await calls[call](question as never).catch(error => ({error: String(error)}));
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await Promise.all([cluster.close(), writing.close()]);
}

function unlessAbsent(error: unknown): void {
  if (!(error instanceof RbdError && error.code === 'ENOENT')) throw error;
}

/** Clone, open, resize, close, for each name, so many at a time; how long each took, and all. */
async function clone(cluster: NativeCluster, {parent, pool, names, size, limit}: Clones) {
  const [source, target] = [await poolOf(cluster, parent.pool), await poolOf(cluster, pool)];
  const each: number[] = [];
  const one = async (name: string) => {
    await source.clone(parent.image, parent.snapshot, target, name);
    const image = await target.openImage(name);
    await image.resize(size);
    await image.close();
  };
  const {ms} = await timed(() => inFlight(names, limit, async name => each.push((await timed(() => one(name))).ms)));
  return {ms, each};
}

/** The blocks that were loaded, as whole objects, so many at a time, to the end of the flush. */
async function write(cluster: NativeCluster, {pool, name, size, depth}: Write) {
  const target = await poolOf(cluster, pool, 'write');
  await target.createImage(name, {size, order: 22});
  const image = await target.openImage(name);
  const {ms} = await timed(async () => {
    await inFlight(blocks, depth, ({offset, data}) => image.write(offset, data));
    await image.flush();
  });
  await image.close();
  await target.removeImage(name);
  return {ms};
}

/** The body of an image from Glance, to nothing. */
async function download({url, token}: {url: string; token: string}) {
  let bytes = 0;
  const {ms} = await timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const request = http.get(url, {headers: {'X-Auth-Token': token}, agent: false}, response => {
          if (response.statusCode !== 200) reject(new Error(`Glance answered ${response.statusCode}`));
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
          });
          response.on('end', resolve).on('error', reject);
        });
        request.on('error', reject);
      }),
  );
  return {ms, bytes};
}

async function poolOf(cluster: NativeCluster, name: string, purpose = ''): Promise<NativePool> {
  const key = `${name} ${purpose}`;
  const pool = pools.get(key) ?? (await cluster.openPool(name));
  pools.set(key, pool);
  return pool;
}
