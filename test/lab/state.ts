/** What a running lab writes down about itself, and where tests and people find it. */
import {existsSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ClusterFiles} from './cluster.ts';
import {isAlive, recordedDaemons} from './daemon.ts';
import {hostDir, hosts, type NovaState, novaDir} from './nova/state.ts';

export type LabState = {
  base: string;
  port: number;
  /** The cell's cluster and Glance's. */
  cell: ClusterFiles;
  glance: ClusterFiles;
  keystoneUrl: string;
  glanceUrl: string;
  /** The one password of the accounts that the lab makes itself. */
  password: string;
  /** Configuration of an agent of this cell: Nova's file, cellar's, and its socket. */
  novaConf: string;
  cellarConf: string;
  socket: string;
  /** Only in a lab with Nova. */
  nova?: NovaState;
  /** The cluster of cell2, in a lab with Nova and two cells. */
  cell2?: ClusterFiles;
};

/** Where a lab is when nobody says otherwise: one per user. */
export const defaultBase = () => join(tmpdir(), `cellar-lab-${process.getuid?.() ?? 0}`);

export const stateFile = (base: string) => join(base, 'state.json');

/** The lab that the environment variable CELLAR_LAB names by its state file, else the one at the default place. */
export const currentStateFile = () => process.env['CELLAR_LAB'] ?? stateFile(defaultBase());

/** Written last, in one step: a state file says that everything in it was up. */
export function writeState(state: LabState): void {
  const file = stateFile(state.base);
  writeFileSync(`${file}.new`, JSON.stringify(state, undefined, 2), {mode: 0o600});
  renameSync(`${file}.new`, file);
}

/** The state of a lab that runs. Tests fail without one: a test that skips itself is a test nobody runs. */
export function readState(file = currentStateFile()): LabState {
  const remedy = 'start one with `npm run lab -- up`, or run everything with `npm test`';
  if (!existsSync(file)) throw new Error(`no lab is running (${file} does not exist): ${remedy}`);
  const state: LabState = JSON.parse(readFileSync(file, 'utf8'));
  const dead = labDaemons(state.base).filter(daemon => !isAlive(daemon));
  if (dead.length > 0) {
    const names = dead.map(daemon => daemon.name).join(', ');
    throw new Error(`the lab at ${state.base} is not running (${names} ended): ${remedy}`);
  }
  return state;
}

/** The same without a complaint: undefined when it does not run. */
export function runsAt(file: string): LabState | undefined {
  try {
    return readState(file);
  } catch {
    return undefined;
  }
}

/** Every daemon of a lab, running or not: Keystone and Glance, and those of its two clusters. */
export const labDaemons = (base: string) => [base, join(base, 'cell'), join(base, 'glance')].flatMap(recordedDaemons);

/** Those of its Nova, some of which tests may have stopped. */
export function novaDaemons(base: string) {
  const dir = novaDir(base);
  return [join(base, 'cell2'), dir, ...hosts({dir}).map(host => hostDir({dir}, host))].flatMap(recordedDaemons);
}
