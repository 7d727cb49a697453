import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {constants} from 'node:os';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext, TestFn} from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativeCluster, NativeImage, NativePool} from '../../src/rbd/native.ts';
import {RbdError} from '../../src/rbd/rbd-error.ts';
import {type Cluster, cellCluster} from '../lab/shared.ts';
import {connectOptions, MiB, unique} from './fixture.ts';

export {connectOptions, MiB, unique};

export type Fixture = {ceph: Cluster; cluster: NativeCluster; pool: NativePool};

/** For all tests of a file: a connection to the shared cluster and a pool of the file's own, while they run. */
export function fixture(test: TestFn): Fixture {
  const lab = {} as Fixture;
  test.serial.before(async () => {
    lab.ceph = cellCluster();
    const name = await lab.ceph.createPool('native');
    lab.cluster = await loadBinding().connect(connectOptions(lab.ceph));
    lab.pool = await lab.cluster.openPool(name);
  });
  test.after.always(async () => {
    await lab.cluster?.close();
    if (lab.pool) await lab.ceph.removePool(lab.pool.name);
  });
  return lab;
}

/** A new image, opened; 16 MiB unless said otherwise. Closed when the test ends. */
export async function newImage(t: ExecutionContext, pool: NativePool, size = 16 * MiB): Promise<NativeImage> {
  const name = unique();
  await pool.createImage(name, {size});
  return await opened(t, pool, name);
}

export async function opened(t: ExecutionContext, pool: NativePool, name: string, options = {}): Promise<NativeImage> {
  const image = await pool.openImage(name, options);
  t.teardown(() => image.close());
  return image;
}

/** A new image with a protected snapshot `snap` and some bytes in it. */
export async function newParent(t: ExecutionContext, pool: NativePool): Promise<NativeImage> {
  const image = await newImage(t, pool);
  await image.write(0, Buffer.from('parent'));
  await image.createSnapshot('snap');
  await image.protectSnapshot('snap');
  return image;
}

export type Expected = {
  code: string;
  syscall: string;
  message: string | RegExp;
  pool?: string;
  image?: string;
  snapshot?: string;
  object?: string;
};

/** The promise fails with an RbdError that says exactly this. */
export async function rbdFails(t: ExecutionContext, promise: Promise<unknown>, expected: Expected): Promise<RbdError> {
  const {code, message, ...fields} = expected;
  const error = await t.throwsAsync(promise, {instanceOf: RbdError, message});
  t.is(error.code, code);
  t.is(error.errno, -((constants.errno as Record<string, number>)[code] ?? Number.NaN));
  t.like(error, fields);
  return error;
}

export type Ended = {status: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string; ms: number};

/** Runs one of the fixtures in a process of its own, to its end. */
export async function runFixture(name: string, args: string[] = [], nodeOptions: string[] = []): Promise<Ended> {
  const start = performance.now();
  const path = fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [...nodeOptions, path, ...args], {stdio: ['ignore', 'pipe', 'pipe']});
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text;
  });
  const [status, signal] = await once(child, 'close');
  return {status, signal, stdout, stderr, ms: performance.now() - start};
}

/** The process ended by itself, well. */
export function endedWell(t: ExecutionContext, {status, signal, stderr}: Ended): void {
  t.deepEqual({status, signal, stderr}, {status: 0, signal: null, stderr: ''});
}

/** Waits until `probe` answers true, for at most ten seconds. */
export async function eventually(probe: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const end = performance.now() + 10_000; performance.now() < end; ) {
    if (await probe()) return true;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return false;
}
