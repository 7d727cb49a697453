/** Computes of the lab: nova-compute of a cell, with a hypervisor of its own. */
import {existsSync, mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {secretUuid} from '../agent-files.ts';
import {ended, recordedDaemon, signalDaemon, stopDaemon} from '../daemon.ts';
import type {LabState} from '../state.ts';
import {type ComputeFiles, type ComputeOptions, computeConf, computeFiles} from './compute-conf.ts';
import {sql} from './database.ts';
import {startLibvirt, stopLibvirt, virsh} from './libvirt.ts';
import {logText} from './log.ts';
import {startService} from './service.ts';
import {type CellName, cellOf, type NovaState} from './state.ts';

export type {ComputeOptions} from './compute-conf.ts';

/** A nova-compute, whoever started it. */
export type Compute = ComputeFiles & {
  host: string;
  cell: CellName;
  /** Its log, all or from a mark on. */
  logText(since?: number): string;
  /** Now, for `logText(since)`. */
  logMark(): number;
  /** Ends nova-compute in order; the guests go on. */
  stop(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** SIGSTOP, SIGCONT and the like. */
  signal(signal: NodeJS.Signals): void;
  /** Starts it (again), with changes that stay; comes back when it takes messages. */
  restart(changes?: Partial<Omit<ComputeOptions, 'host' | 'driver' | 'cell'>>): Promise<void>;
  /** `virsh ARGS` on its hypervisor. */
  virsh(...args: string[]): Promise<string>;
  /** Ends nova-compute and the hypervisor with its guests. Nova's records of the host stay. */
  remove(): Promise<void>;
};

export type StartOptions = ComputeOptions & {
  /** Makes the host mapping, as discover_hosts would (the default). */
  map?: boolean;
  /** Dies with this process. */
  tied?: boolean;
};

/** Starts a new compute; resolves when it takes messages and has written its compute node. */
export async function startCompute(state: LabState, nova: NovaState, start: StartOptions): Promise<Compute> {
  const {map = true, tied = false, ...options} = start;
  const compute = computeAt(state, nova, options.host);
  if (existsSync(join(compute.dir, 'log'))) throw new Error(`the lab has a host ${options.host} already`);
  const {driver = 'libvirt', cell = 'cell1', cephUser: user = 'nova'} = options;
  for (const dir of ['log', 'nova/instances', 'nova/lock'])
    mkdirSync(join(compute.dir, dir), {recursive: true, mode: 0o700});
  save(compute.dir, {...options, tied});
  if (driver === 'libvirt') {
    const secret = {uuid: secretUuid, cephBase: join(state.base, cellOf(nova, cell).cluster), user};
    await startLibvirt({dir: compute.dir, hostname: options.host, secret, tied});
  }
  await compute.restart();
  if (map) await mapHost(nova, cell, options.host);
  return compute;
}

/** The compute that was started under this name. */
export function computeAt(state: LabState, nova: NovaState, host: string): Compute {
  const files = computeFiles(nova, host);
  const {dir, log} = files;
  const daemon = () => recordedDaemon(dir, 'nova-compute');
  const stop = async () => {
    const running = daemon();
    if (running) await stopDaemon(running, 15_000);
  };
  return {
    ...files,
    host,
    get cell() {
      return saved(dir).cell ?? 'cell1';
    },
    logText: (since = 0) => Buffer.from(logText(log)).subarray(since).toString(),
    logMark: () => statSync(log, {throwIfNoEntry: false})?.size ?? 0,
    stop,
    async kill(signal = 'SIGKILL') {
      const running = daemon();
      if (!running) return;
      signalDaemon(running, signal);
      if (!(await ended(running, 30_000)))
        throw new Error(`nova-compute of ${host} did not end within 30 s of ${signal}`);
    },
    signal(signal) {
      const running = daemon();
      if (running) signalDaemon(running, signal);
    },
    async restart(changes = {}) {
      await stop();
      const options = {...saved(dir), ...changes};
      save(dir, options);
      writeFileSync(files.conf, computeConf(nova, state.base, options, state), {mode: 0o600});
      const {tied} = options;
      await startService({dir, name: 'nova-compute', program: 'nova-compute', conf: files.conf, log, tied});
    },
    virsh: (...args) => virsh(dir, ...args),
    async remove() {
      await stop();
      await stopLibvirt(dir);
    },
  };
}

type Saved = ComputeOptions & {tied: boolean};
const optionsFile = (dir: string) => join(dir, 'options.json');
const saved = (dir: string): Saved => JSON.parse(readFileSync(optionsFile(dir), 'utf8'));
const save = (dir: string, options: Saved) => writeFileSync(optionsFile(dir), JSON.stringify(options), {mode: 0o600});

/** The rows that `nova-manage cell_v2 discover_hosts` writes for one host; it takes some seconds, this does not. */
async function mapHost(nova: NovaState, cell: CellName, host: string): Promise<void> {
  const {uuid} = cellOf(nova, cell);
  const known = `(select id from cell_mappings where uuid = '${uuid}')`;
  await sql(
    nova,
    'nova_api',
    `insert into host_mappings (created_at, cell_id, host) values (now(), ${known}, '${host}')`,
  );
  await sql(nova, `nova_${cell}`, `update compute_nodes set mapped = 1 where host = '${host}' and deleted = 0`);
}
