/**
 * Nova of the running lab, for tests (`npm run test:e2e`, or a lab started with `--nova`):
 *
 *   const nova = novaLab();
 *   const compute = await nova.startCompute({host: 'c7', glanceEndpoint: 'http://127.0.0.1:9292'});
 *   t.teardown(compute.remove);
 *   const {id} = await nova.server.create({image, host: 'c7'});         // ACTIVE or ERROR
 *   const rows = await nova.sql('nova_cell1', 'select * from compute_nodes');
 *
 * The tests of one run share it and run one file after the other. `nova.compute('compute-1')` is the unmodified
 * nova-compute that is there from the start; what a test changes for good it does on a compute of its own.
 */
import {clusterAt} from '../cluster.ts';
import {ended, isAlive, recordedDaemon, signalDaemon, stopDaemon} from '../daemon.ts';
import {openstackOf} from '../openstack.ts';
import {all, run, waitFor} from '../run.ts';
import type {Cluster} from '../shared.ts';
import {currentStateFile, readState} from '../state.ts';
import {type Compute, computeAt, type StartOptions, startCompute} from './compute.ts';
import {computeFiles} from './compute-conf.ts';
import {conductorName, startConductor, writeConductorConf} from './control-plane.ts';
import {type Row, sql} from './database.ts';
import {logText} from './log.ts';
import {servicesListen} from './queues.ts';
import {startRabbit, stopRabbit} from './rabbit.ts';
import {type Api, novaApi, placementApi, type Servers, serversOf} from './servers.ts';
import {type CellName, cellOf, confOf, hosts, logOf, type NovaState, novaPorts} from './state.ts';

export type {Compute, ComputeOptions} from './compute.ts';
export type {Row} from './database.ts';
export type {NewServer, ServerRecord, Servers} from './servers.ts';
export type {CellName, NovaState} from './state.ts';

/** A cell's conductor. Several tests use it one after the other: start it again with the defaults in the end. */
export type Conductor = {
  conf: string;
  logText(): string;
  stop(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** SIGSTOP, SIGCONT and the like. */
  signal(signal: NodeJS.Signals): void;
};

export type NovaLab = {
  /** URLs, databases, message buses. */
  state: NovaState;
  server: Servers;
  /** `nova('GET', '/servers/detail')`, as the admin, microversion 2.90. */
  nova: Api;
  placement: Api;
  sql(database: string, statement: string): Promise<Row[]>;
  /** The Ceph cluster of a cell. */
  cluster(cell: CellName): Cluster;
  /** Starts one more nova-compute; it ends with this process. */
  startCompute(options: StartOptions): Promise<Compute>;
  /** One that was started before. */
  compute(host: string): Compute;
  /** Runs `nova-manage cell_v2 discover_hosts --verbose`; what it said. */
  discoverHosts(): Promise<string>;
  /** Runs nova-manage with the configuration of the API services. */
  manage(...args: string[]): Promise<string>;
  /** (Re)starts the conductor of a cell, by default as the lab does: without the API's database. */
  startConductor(cell: CellName, options?: {apiDatabase?: boolean}): Promise<Conductor>;
  conductor(cell: CellName): Conductor;
  /** All virtual hosts at once: every service loses its connection. */
  stopRabbit(): Promise<void>;
  /** Comes back when every service that runs takes messages again, and every host has reported; not if `wait` is false, for services that are stopped. */
  startRabbit(options?: {wait?: boolean}): Promise<void>;
  /** `api`, `cell1`, `cell2`. */
  transportUrl(vhost: 'api' | CellName): string;
};

export const novaLab = (): NovaLab => novaLabAt(currentStateFile());

/** The same for the lab with this state file. */
export function novaLabAt(file: string): NovaLab {
  const lab = readState(file);
  const state = lab.nova;
  if (!state)
    throw new Error(
      `the lab at ${lab.base} has no Nova: start one with \`npm run lab -- up --nova\`, or run \`npm run test:e2e\``,
    );
  const openstack = openstackOf(lab);
  const token = (account = openstack.admin) => openstack.token(account);
  const manage = (...args: string[]) => run('nova-manage', ['--config-file', confOf(state, 'api'), ...args]);
  const conductor = (cell: CellName) => conductorOf(state, cell);
  const reported = async ({host, cell}: {host: string; cell: CellName}) => {
    const late = `select updated_at from services where host = '${host}' and \`binary\` = 'nova-compute' and deleted = 0
      and (updated_at is null or updated_at < utc_timestamp() - interval 10 second)`;
    const [row] = await sql(state, `nova_${cell}`, late);
    if (row !== undefined) throw new Error(`nova-compute of ${host} reported at ${row['updated_at']}`);
  };
  const url = (vhost: 'api' | CellName) => (vhost === 'api' ? state.transportUrl : cellOf(state, vhost).transportUrl);

  return {
    state,
    server: serversOf(state, token),
    nova: novaApi(state, token),
    placement: placementApi(state, token),
    sql: (database, statement) => sql(state, database, statement),
    cluster(cell) {
      const files = lab[cellOf(state, cell).cluster];
      if (!files) throw new Error(`the lab has no cluster of ${cell}`);
      return clusterAt(files);
    },
    startCompute: options => startCompute(lab, state, {tied: true, ...options}),
    compute: host => computeAt(lab, state, host),
    manage,
    discoverHosts: () => manage('cell_v2', 'discover_hosts', '--verbose'),
    async startConductor(cell, {apiDatabase = false} = {}) {
      writeConductorConf(state, cell, {...lab, apiDatabase});
      await startConductor(state, cell);
      return conductor(cell);
    },
    conductor,
    stopRabbit: () => stopRabbit(state),
    async startRabbit({wait = true} = {}) {
      await startRabbit(state, {ports: novaPorts(lab.port)});
      const computes = hosts(state).map(host => computeAt(lab, state, host));
      if (!wait) return;
      await servicesListen(
        state,
        computes.map(({host, cell}) => ({host, transportUrl: url(cell)})),
      );
      // a report whose answer was lost keeps a service waiting for it, and the scheduler takes the host for down
      const running = computes.filter(({host}) => {
        const daemon = recordedDaemon(computeFiles(state, host).dir, 'nova-compute');
        return daemon !== undefined && isAlive(daemon);
      });
      await waitFor('reports of the compute services', () => all(running.map(reported)), {timeoutMs: 120_000});
    },
    transportUrl: url,
  };
}

function conductorOf(nova: NovaState, cell: CellName): Conductor {
  const name = conductorName(cell);
  const daemon = () => {
    const found = recordedDaemon(nova.dir, name);
    if (!found) throw new Error(`${name} is not running`);
    return found;
  };
  return {
    conf: confOf(nova, cell),
    logText: () => logText(logOf(nova, name)),
    async stop() {
      const running = recordedDaemon(nova.dir, name);
      if (running) await stopDaemon(running, 15_000);
    },
    async kill(signal = 'SIGKILL') {
      const running = daemon();
      signalDaemon(running, signal);
      if (!(await ended(running, 30_000))) throw new Error(`${name} did not end within 30 s of ${signal}`);
    },
    signal: signal => signalDaemon(daemon(), signal),
  };
}
