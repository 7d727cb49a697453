/** Cinder's RBD driver and its Glance client, the real ones, as a backend of their own in the lab's cell: see cinder_driver.py. */
import {execFile} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {Cluster} from '../lab/cluster.ts';
import {cleanEnv} from '../lab/run.ts';

export type CinderCall =
  | {call: 'create' | 'create_or_download'; image: string; token: string; id: string; size: number}
  | {call: 'delete'; id: string}
  | {call: 'download'; image: string; token: string};

export type CinderAnswer = {
  update?: Record<string, unknown>;
  cloned?: boolean;
  /** Of the volume's image in the pool. */
  name?: string;
  /** `disk_format` as Cinder saw it. */
  format?: string;
  bytes?: number;
  /** The name of Cinder's exception. */
  error?: string;
  message?: string;
};

export type Cinder = AsyncDisposable & {
  /** The pool of its volumes. */
  pool: string;
  /** Its cephx user, without `client.`. */
  user: string;
  /** Its calls one after the other, by one process, with Glance at this address. */
  ask(glance: string, calls: CinderCall[]): Promise<CinderAnswer[]>;
};

const program = fileURLToPath(new URL('cinder_driver.py', import.meta.url));

/** A pool of volumes and a user that writes there; without `copies` it may not read that pool of the cell's copies. */
export async function makeCinder(cell: Cluster, copies?: string): Promise<Cinder> {
  const pool = await cell.createPool('volumes');
  const reads = copies === undefined ? '' : `, profile rbd-read-only pool=${copies}`;
  const {user} = await cell.addUser(pool, {mon: 'profile rbd', osd: `profile rbd pool=${pool}${reads}`});
  const dir = mkdtempSync(join(tmpdir(), 'cellar-cinder-'));
  const file = join(dir, 'cinder.conf');
  const conversion = join(dir, 'conversion');
  mkdirSync(conversion);
  return {
    pool,
    user,
    async ask(glance, calls) {
      writeFileSync(
        file,
        `[DEFAULT]
glance_api_servers = ${glance}
state_path = ${dir}
image_conversion_dir = ${conversion}
[ceph]
volume_backend_name = ceph
rbd_ceph_conf = ${cell.conf}
rbd_user = ${user}
rbd_pool = ${pool}
`,
      );
      return JSON.parse(await runDriver([file, 'ceph'], JSON.stringify(calls)));
    },
    async [Symbol.asyncDispose]() {
      await cell.removePool(pool);
      rmSync(dir, {recursive: true, force: true});
    },
  };
}

/** The calls hold tokens: they go through stdin. */
function runDriver(args: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {env: cleanEnv(), timeout: 150_000, killSignal: 'SIGKILL'} as const;
    const child = execFile('/usr/bin/python3', [program, ...args], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`Cinder's driver: ${error.code ?? error.signal}\n${stderr.slice(-4000)}`));
      else resolve(stdout);
    });
    child.stdin?.on('error', () => {}); // it has ended, and says why itself
    child.stdin?.end(input);
  });
}
