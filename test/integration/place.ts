/** A place for one test file in the lab's cell: pools, a cephx user with the documented rights, a configuration, a socket. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {type AgentProcess, type CliResult, cellar, startAgent} from '../helpers/agent.ts';
import type {Cluster} from '../lab/cluster.ts';
import {run} from '../lab/run.ts';
import {cellCluster, lab} from '../lab/shared.ts';

export type Place = AsyncDisposable & {
  cell: Cluster;
  cache: string;
  vms: string;
  dir: string;
  /** The configuration files of this place's agent. */
  files: string[];
  socket: string;
  startAgent(env?: Record<string, string>): Promise<AgentProcess>;
  /** `cellar ARGS --json` against this place's agent. */
  cellar(...args: string[]): Promise<CliResult>;
  /** Another host of this place's cell: its agent, and its command line. */
  host(name: string): Pick<Place, 'files' | 'socket' | 'startAgent' | 'cellar'>;
  /** Names of the images in the cache pool. */
  cacheImages(): Promise<string[]>;
  /** All objects of the cache pool. */
  objects(): Promise<string[]>;
  /** Keys of an omap object of the cache pool; none when it is not there. */
  omapKeys(object: string): Promise<string[]>;
};

export type PlaceOptions = {
  /** Where Glance is for this agent; without it, where Keystone's catalog says. */
  glance?: string;
  /** More lines of cellar.conf, with their sections. */
  conf?: string;
  host?: string;
  /** The cell's cluster, where it is not the shared one. It needs a pool `images`. */
  cell?: Cluster;
};

export async function makePlace(options: PlaceOptions = {}): Promise<Place> {
  const {glance, conf = '', host: first = 'compute-1', cell = cellCluster()} = options;
  const {novaConf} = lab();
  const [cache, vms] = [await cell.createPool('cache'), await cell.createPool('vms')];
  const {user} = await cell.addUser(cache, {
    mon: 'profile rbd',
    osd: `profile rbd pool=${cache}, profile rbd pool=${vms}, profile rbd-read-only pool=images`,
  });
  const dir = mkdtempSync(join(tmpdir(), 'cellar-place-'));
  const socket = join(dir, 'cellar.sock');
  const files = [novaConf, join(dir, 'cellar.conf')];
  writeFileSync(
    join(dir, 'cellar.conf'),
    `[DEFAULT]
host = ${first}
[libvirt]
images_rbd_pool = ${vms}
images_rbd_ceph_conf = ${cell.conf}
${glance === undefined ? '' : `[glance]\nendpoint_override = ${glance}\n`}
[image_store]
pool = ${cache}
rbd_user = ${user}
spool_dir = ${join(dir, 'spool')}
fill_lease = 5
[agent]
socket = ${socket}
log_level = debug
${conf}
`,
  );
  const host: Place['host'] = name => {
    const own = join(dir, `${name}.conf`);
    const itsSocket = join(dir, `${name}.sock`);
    const spool = join(dir, `${name}.spool`);
    writeFileSync(
      own,
      `[DEFAULT]\nhost = ${name}\n[image_store]\nspool_dir = ${spool}\n[agent]\nsocket = ${itsSocket}\n`,
    );
    return reached([...files, own], itsSocket);
  };
  return {
    cell,
    cache,
    vms,
    dir,
    ...reached(files, socket),
    host,
    cacheImages: async () => JSON.parse(await cell.rbd('ls', cache, '--format=json')),
    objects: async () => (await rados(cell, cache, 'ls')).split('\n'),
    omapKeys: object => omapKeys(cell, cache, object),
    async [Symbol.asyncDispose]() {
      await cell.removePool(vms);
      await cell.removePool(cache);
      rmSync(dir, {recursive: true, force: true});
    },
  };
}

/** An agent's files and socket, how it is started and asked. */
const reached = (files: string[], socket: string): Pick<Place, 'files' | 'socket' | 'startAgent' | 'cellar'> => ({
  files,
  socket,
  startAgent: env => startAgent(files, env),
  cellar: (...args) => cellar([...args, '--json', '--socket', socket]),
});

const rados = ({conf}: Cluster, pool: string, ...args: string[]) => run('rados', ['-c', conf, '-p', pool, ...args]);

async function omapKeys(cell: Cluster, pool: string, object: string): Promise<string[]> {
  const objects = (await rados(cell, pool, 'ls')).split('\n');
  if (!objects.includes(object)) return [];
  return (await rados(cell, pool, 'listomapkeys', object)).split('\n').filter(Boolean);
}

/** The JSON of a command that must have succeeded. */
export function answer(t: ExecutionContext, {code, stdout, stderr}: CliResult): Record<string, unknown> {
  t.is(code, 0, stderr);
  return JSON.parse(stdout);
}
