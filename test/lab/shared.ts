/**
 * The running lab, for tests. Several test files use it at the same time, so each makes pools, users, projects and images
 * of its own. Tests that stop or pause daemons take a cluster of their own instead: `privateCeph`.
 */
import {mkdirSync, mkdtempSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type CephOptions, type RunningCeph, startCeph} from './ceph.ts';
import {type Cluster, clusterAt} from './cluster.ts';
import {type OpenStack, openstackOf} from './openstack.ts';
import {reservePorts} from './ports.ts';
import {currentStateFile, type LabState, readState, runsAt} from './state.ts';

export type {Cluster} from './cluster.ts';
export type {Account, OpenStack, Uploaded} from './openstack.ts';
export type {LabState} from './state.ts';

/** Everything the lab wrote down about itself: its configuration files, for instance. */
export const lab = (): LabState => readState();

/** The shared cluster of the cell: pools vms, cellar, images; users admin, nova, cellar. */
export const cellCluster = (): Cluster => clusterAt(readState().cell);

/** Glance's own cluster, which no cell reaches: pool images; users admin, glance. */
export const glanceCluster = (): Cluster => clusterAt(readState().glance);

export const openstack = (): OpenStack => openstackOf(readState());

/** The same of the lab with this state file. */
export const openstackAt = (file: string): OpenStack => openstackOf(readState(file));

/**
 * A cluster of the test's own, whose daemons may be killed, paused and started again (it is bluestore, unless asked
 * otherwise: memstore loses everything with its OSD). It is gone when the test's process is; better, say
 * `await using ceph = await privateCeph()` or `t.teardown(ceph.stop)`.
 */
export async function privateCeph(options: Partial<Omit<CephOptions, 'base' | 'tied'>> = {}): Promise<RunningCeph> {
  const {port, ...rest} = options;
  const ports = await reservePorts({...(port === undefined ? {} : {port}), preferred: 24_000});
  try {
    const base = mkdtempSync(join(privateRoot(), 'ceph-'));
    const ceph = await startCeph({
      name: 'private',
      objectstore: 'bluestore',
      ...rest,
      base,
      port: ports.first,
      tied: true,
    });
    const end = ceph.stop;
    const stop = async () => {
      await end();
      await ports.release(); // not earlier: while a daemon is down, its ports look free
    };
    return Object.defineProperties(ceph, {stop: {value: stop}, [Symbol.asyncDispose]: {value: stop}});
  } catch (error) {
    await ports.release();
    throw error;
  }
}

/** Inside the running lab, whose removal then takes it along; without one, in the system's temporary directory. */
function privateRoot(): string {
  const base = runsAt(currentStateFile())?.base;
  const root = base === undefined ? join(tmpdir(), `cellar-ceph-${process.getuid?.() ?? 0}`) : join(base, 'private');
  mkdirSync(root, {recursive: true, mode: 0o700});
  return root;
}
