/** Nova without its computes: nova-api, the scheduler, the super-conductor, and a conductor for each cell. */
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type Daemon, obituary, recordedDaemon, startDaemon, stopDaemon} from '../daemon.ts';
import {apiCall} from '../keystone-api.ts';
import {all, waitFor} from '../run.ts';
import {apiConf, type ConfOptions, conductorConf, placementConf, policies, policyFile} from './nova-conf.ts';
import {startService} from './service.ts';
import {type CellName, cellOf, confOf, logOf, type NovaState, novaPorts} from './state.ts';

/** Every configuration file but those of the computes. */
export function writeConfigurations(nova: NovaState, options: ConfOptions): void {
  for (const name of ['etc', 'log', 'state']) mkdirSync(join(nova.dir, name), {recursive: true, mode: 0o700});
  writeFileSync(policyFile(nova), JSON.stringify(policies), {mode: 0o600});
  writeFileSync(confOf(nova, 'api'), apiConf(nova, options), {mode: 0o600});
  writeFileSync(confOf(nova, 'placement'), placementConf(nova, options), {mode: 0o600});
  for (const cell of nova.cells) writeConductorConf(nova, cell.name, {...options, apiDatabase: false});
}

export function writeConductorConf(
  nova: NovaState,
  cell: CellName,
  {apiDatabase, ...options}: ConfOptions & {apiDatabase: boolean},
): void {
  writeFileSync(confOf(nova, cell), conductorConf(nova, cellOf(nova, cell), apiDatabase, options), {mode: 0o600});
}

export type Tied = {tied?: boolean};

/** The conductor of a cell, with the configuration that stands there; one that runs is ended first. */
export async function startConductor(nova: NovaState, cell: CellName, {tied = false}: Tied = {}): Promise<Daemon> {
  const name = conductorName(cell);
  const running = recordedDaemon(nova.dir, name);
  if (running) await stopDaemon(running);
  const [conf, log] = [confOf(nova, cell), logOf(nova, name)];
  return await startService({dir: nova.dir, name, program: 'nova-conductor', conf, log, tied});
}

export const conductorName = (cell: CellName) => `nova-conductor-${cell}`;

/** The services above the cells. */
export async function startApiServices(nova: NovaState, port: number, {tied = false}: Tied = {}): Promise<void> {
  const service = (name: string, program: string) =>
    startService({dir: nova.dir, name, program, conf: confOf(nova, 'api'), log: logOf(nova, name), tied});
  await all([
    startNetwork(nova, port, tied),
    startApi(nova, tied),
    service('nova-super-conductor', 'nova-conductor'),
    service('nova-scheduler', 'nova-scheduler'),
  ]);
}

async function startApi(nova: NovaState, tied: boolean): Promise<void> {
  const log = logOf(nova, 'nova-api');
  const command = ['nova-api', '--config-file', confOf(nova, 'api'), '--log-file', log];
  const daemon = startDaemon(nova.dir, 'nova-api', command, {logs: [log], tied});
  await waitFor('nova-api', () => apiCall(new URL('/', nova.novaUrl).href), {stop: () => obituary(daemon)});
}

async function startNetwork(nova: NovaState, port: number, tied: boolean): Promise<void> {
  const url = networkUrl(port);
  const command = [process.execPath, join(import.meta.dirname, 'network-stub.ts'), new URL(url).port];
  const daemon = startDaemon(nova.dir, 'network-stub', command, {tied});
  await waitFor('the network stub', () => apiCall(`${url}/v2.0/ports`), {stop: () => obituary(daemon)});
}

export const networkUrl = (port: number) => `http://127.0.0.1:${novaPorts(port).network}`;
