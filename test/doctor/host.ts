/** A host in good order: a cluster of its own with pools and keys as documented, an agent with its facade, real Keystone and Glance. */
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {readConfig} from '../../src/config/load.ts';
import {version} from '../../src/config/version.ts';
import {type Diagnosis, diagnose} from '../../src/doctor/index.ts';
import {type AgentProcess, startAgent} from '../helpers/agent.ts';
import {deadUrl} from '../helpers/with-server.ts';
import type {RunningCeph} from '../lab/ceph.ts';
import {run} from '../lab/run.ts';
import {lab, openstack, privateCeph} from '../lab/shared.ts';

export type Host = AsyncDisposable & {
  ceph: RunningCeph;
  agent: AgentProcess;
  cache: string;
  vms: string;
  dir: string;
  socket: string;
  files: string[];
  facade: string;
  /** The rights of operations.md. */
  caps: {nova: {mon: string; osd: string}; cellar: {mon: string; osd: string}};
  /** What the doctor finds with these lines at the end of the configuration. */
  diagnose(conf?: string): Promise<Diagnosis>;
  /** All objects of both pools. */
  objects(): Promise<string[]>;
};

export async function makeHost(): Promise<Host> {
  const ceph = await privateCeph({mgr: true, objectstore: 'memstore'});
  const [cache, vms] = [await ceph.createPool('cache'), await ceph.createPool('vms')];
  const mon = 'profile rbd';
  const caps = {
    nova: {mon, osd: `profile rbd pool=${vms}, profile rbd-read-only pool=${cache}`},
    cellar: {mon, osd: `profile rbd pool=${cache}, profile rbd pool=${vms}`},
  };
  await ceph.addUser('nova', caps.nova);
  await ceph.addUser('cellar', caps.cellar);
  const dir = mkdtempSync(join(tmpdir(), 'cellar-doctor-'));
  for (const name of ['spool', 'instances']) mkdirSync(join(dir, name), {mode: 0o700});
  const socket = join(dir, 'cellar.sock');
  const facade = await deadUrl(); // whose port is free
  const own = join(dir, 'cellar.conf');
  writeFileSync(
    own,
    `[DEFAULT]
instances_path = ${dir}/instances
[libvirt]
images_rbd_pool = ${vms}
images_rbd_ceph_conf = ${ceph.conf}
rbd_user = nova
[glance]
endpoint_override = ${facade}
[cell]
expected_fsid = ${ceph.fsid}
[image_store]
pool = ${cache}
rbd_user = cellar
spool_dir = ${dir}/spool
spool_size = 1
[facade]
listen = ${facade.slice('http://'.length)}
upstream = ${openstack().glanceUrl}
[agent]
socket = ${socket}
`,
  );
  const files = [lab().novaConf, own];
  const agent = await startAgent(files);
  await agent.waitForLog(({msg}) => msg === 'the facade answers for Glance');
  const objectsOf = async (pool: string) => (await run('rados', ['-c', ceph.conf, '-p', pool, 'ls'])).split('\n');
  return {
    ceph,
    agent,
    cache,
    vms,
    dir,
    socket,
    files,
    facade,
    caps,
    async diagnose(conf = '') {
      const more = join(dir, 'more.conf');
      writeFileSync(more, conf);
      const config = readConfig([...files, more].map(file => ({file})));
      return diagnose({config, version, socket: config.get('agent', 'socket')}, AbortSignal.timeout(120_000));
    },
    objects: async () => [...(await objectsOf(cache)), ...(await objectsOf(vms))].filter(Boolean).sort(),
    async [Symbol.asyncDispose]() {
      await agent.kill();
      await ceph.stop();
      rmSync(dir, {recursive: true, force: true});
    },
  };
}
