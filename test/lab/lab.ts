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
import {finishNova, novaIdentities, prepareNova, type Step, startNova, stopNova} from './nova/nova.ts';
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
  /** Whether the cell's cluster has a ceph-mgr. Default: with Nova, which asks for the statistics of pools. */
  mgr?: boolean;
  /** With Nova: how many cells, and whether cell1 has a compute from the start. */
  nova?: {cells: 1 | 2; compute: boolean} | undefined;
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
  await stopNova(base, {keep});
  await stopDaemons(base); // Glance before its cluster: its connections end in order
  await all(['glance', 'cell', 'cell2'].map(name => stopCeph(join(base, name), {keep})));
  await stopDaemonsBelow(base);
  if (!keep) rmSync(base, {recursive: true, force: true, maxRetries: 3});
}

async function startAll(options: LabOptions & {base: string}, port: number): Promise<LabState> {
  const {base, tied = false} = options;
  const step = stepper(options.onStep);
  const password = 'only-for-tests';
  const urls = {keystoneUrl: keystoneUrl(port + 80), glanceUrl: glanceUrl(port + 81)};
  const nova = options.nova && {base, port, password, ...urls, ...options.nova, tied, step};
  const ceph = (name: string, first: number, pools: string[], users: Record<string, Caps>, mgr = false) =>
    startCeph({name, base: join(base, name), port: first, pools, users, tied, mgr});
  const cell = (name: string, first: number) =>
    ceph(name, first, ['vms', 'cellar', 'images'], cellUsers, options.mgr ?? nova !== undefined);
  const keystone = {
    base,
    port: port + 80,
    password,
    glanceUrl: urls.glanceUrl,
    identities: nova && novaIdentities(nova),
    tied,
  };
  const glance = {
    base,
    port: port + 81,
    password,
    keystoneUrl: urls.keystoneUrl,
    cephConf: join(base, 'glance', 'ceph.conf'),
    tied,
  };

  const [cellCeph, glanceCeph, cell2Ceph, novaState] = await all([
    step('Ceph of the cell', () => cell('cell', port + 40)),
    step('Ceph of Glance', () => ceph('glance', port, ['images'], glanceUsers)),
    nova?.cells === 2 ? step('Ceph of cell2', () => withPorts(first => cell('cell2', first))) : undefined,
    nova && prepareNova(nova),
    step('Keystone', () => startKeystone(keystone)).then(() => step('users and catalog', () => fillKeystone(keystone))),
    step("Glance's database", () => makeGlance(glance)),
  ]);
  await all([step('Glance', () => startGlance(glance)), nova && novaState && startNova(novaState, nova)]);
  const agent = {
    novaConf: join(base, 'nova.conf'),
    cellarConf: join(base, 'cellar.conf'),
    socket: join(base, 'cellar.sock'),
  };
  const state: LabState = {base, port, cell: files(cellCeph), glance: files(glanceCeph), ...urls, password, ...agent};
  if (cell2Ceph) state.cell2 = files(cell2Ceph);
  if (nova && novaState) {
    state.nova = novaState;
    await finishNova(state, novaState, nova);
  }
  writeAgentFiles(state);
  writeState(state);
  return state;
}

/** A slot of its own. */
async function withPorts<T>(act: (first: number) => Promise<T>): Promise<T> {
  const ports = await reservePorts({preferred: 22_000});
  try {
    return await act(ports.first);
  } finally {
    await ports.release();
  }
}

function stepper(onStep: LabOptions['onStep']): Step {
  return async (name, act) => {
    const end = onStep?.(name);
    const result = await act();
    end?.();
    return result;
  };
}

const files = ({name, fsid, base}: Cluster) => ({name, fsid, base});
