/** The whole lab: Glance with a Ceph cluster of its own, Keystone, and a cell whose Ceph cluster Glance cannot reach. */
import {chmodSync, mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {writeAgentFiles} from './agent-files.ts';
import {startCeph, stopCeph} from './ceph.ts';
import type {Caps} from './ceph-files.ts';
import type {Cluster} from './cluster.ts';
import {stopDaemons, stopDaemonsBelow} from './daemon.ts';
import {glanceUrl, makeGlance, startGlance} from './glance.ts';
import {fillKeystone, keystoneUrl, startKeystone} from './keystone.ts';
import {reservePorts} from './ports.ts';
import {all} from './run.ts';
import {defaultBase, type LabState, stateFile, writeState} from './state.ts';

export type LabOptions = {
  /** Its directory: it is emptied first. */
  base?: string;
  /** First of the 100 ports it uses; without it, free ones are looked for. */
  port?: number | undefined;
  /** Its daemons die with this process, whatever kills it. */
  tied?: boolean;
  /** Is told when a step begins; the function it returns is called when the step has ended. */
  onStep?: (name: string) => () => void;
};

/** Users of the cell, with the rights of docs/operations: Nova reads the cache and the images, and writes only its disks. */
const cellUsers: Record<string, Caps> = {
  nova: {
    mon: 'profile rbd',
    osd: 'profile rbd pool=vms, profile rbd-read-only pool=cellar, profile rbd-read-only pool=images',
  },
  cellar: {
    mon: 'profile rbd',
    osd: 'profile rbd pool=cellar, profile rbd pool=vms, profile rbd-read-only pool=images',
  },
};
const glanceUsers: Record<string, Caps> = {glance: {mon: 'profile rbd', osd: 'profile rbd pool=images'}};

export async function startLab(options: LabOptions = {}): Promise<LabState> {
  const {base = defaultBase(), port} = options;
  await stopLab(base);
  const ports = await reservePorts({...(port === undefined ? {} : {port}), preferred: 21_000});
  try {
    makeBase(base);
    return await startAll({...options, base}, ports.first);
  } catch (error) {
    await stopLab(base);
    throw error;
  } finally {
    await ports.release();
  }
}

/**
 * Everything in it is ours alone but `tmp`, a TMPDIR for the tests of this lab, which goes with it. Tests that become
 * another user must get there, so the directory itself can be passed through, not listed.
 */
function makeBase(base: string): void {
  mkdirSync(join(base, 'tmp'), {recursive: true});
  chmodSync(base, 0o711);
  chmodSync(join(base, 'tmp'), 0o1777);
}

/** Ends everything that runs under the directory and removes it, whatever state it is in. `keep` leaves the files. */
export async function stopLab(base = defaultBase(), {keep = false} = {}): Promise<void> {
  rmSync(stateFile(base), {force: true});
  await stopDaemons(base); // Glance before its cluster: its connections end in order
  await all(['glance', 'cell'].map(name => stopCeph(join(base, name), {keep})));
  await stopDaemonsBelow(base);
  if (!keep) rmSync(base, {recursive: true, force: true, maxRetries: 3});
}

async function startAll({base, tied = false, onStep}: LabOptions & {base: string}, port: number): Promise<LabState> {
  const password = 'cellar-lab';
  const urls = {keystoneUrl: keystoneUrl(port + 80), glanceUrl: glanceUrl(port + 81)};
  const ceph = (name: string, offset: number, pools: string[], users: Record<string, Caps>) =>
    startCeph({name, base: join(base, name), port: port + offset, pools, users, tied});
  const keystone = {base, port: port + 80, password, glanceUrl: urls.glanceUrl, tied};
  const glance = {
    base,
    port: port + 81,
    password,
    keystoneUrl: urls.keystoneUrl,
    cephConf: join(base, 'glance', 'ceph.conf'),
    tied,
  };

  const [cellCeph, glanceCeph] = await all([
    timed(onStep, 'Ceph of the cell', () => ceph('cell', 40, ['vms', 'cellar', 'images'], cellUsers)),
    timed(onStep, 'Ceph of Glance', () => ceph('glance', 0, ['images'], glanceUsers)),
    timed(onStep, 'Keystone', () => startKeystone(keystone)),
    timed(onStep, "Glance's database", () => makeGlance(glance)),
  ]);
  await all([
    timed(onStep, 'users and catalog', () => fillKeystone(keystone)),
    timed(onStep, 'Glance', () => startGlance(glance)),
  ]);
  const agent = {
    novaConf: join(base, 'nova.conf'),
    cellarConf: join(base, 'cellar.conf'),
    socket: join(base, 'cellar.sock'),
  };
  const state = {base, port, cell: files(cellCeph), glance: files(glanceCeph), ...urls, password, ...agent};
  writeAgentFiles(state);
  writeState(state);
  return state;
}

async function timed<T>(onStep: LabOptions['onStep'], name: string, act: () => Promise<T>): Promise<T> {
  const end = onStep?.(name);
  const result = await act();
  end?.();
  return result;
}

const files = ({name, fsid, base}: Cluster) => ({name, fsid, base});
