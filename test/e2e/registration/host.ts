/** A host of the lab's Nova that has an agent. */
import {existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext, TestFn} from 'ava';
import type {StatusAnswer} from '../../../src/api/wire.ts';
import {ApiDatabase} from '../../../src/nova/api-database.ts';
import {CellDatabase} from '../../../src/nova/cell-database.ts';
import {Conductor} from '../../../src/oslo/conductor.ts';
import {RpcClient} from '../../../src/oslo/rpc.ts';
import {type AgentProcess, cellar, startAgent} from '../../helpers/agent.ts';
import {computeFiles} from '../../lab/nova/compute-conf.ts';
import {type CellName, type NovaLab, novaLab} from '../../lab/nova/shared.ts';
import {waitFor} from '../../lab/run.ts';
import {lab} from '../../lab/shared.ts';

export type Host = {
  name: string;
  statePath: string;
  /** What compute_id says, or undefined. */
  computeId(): string | undefined;
  writeComputeId(uuid: string): void;
  start(): Promise<AgentProcess>;
  registration(): Promise<StatusAnswer['registration']>;
  /** Waits for the state and answers it. */
  becomes(state: StatusAnswer['registration']['state'], why?: RegExp): Promise<StatusAnswer['registration']>;
  cellar(...args: string[]): ReturnType<typeof cellar>;
};

export type HostOptions = {
  /** Default: made of the title. */
  name?: string;
  cell?: CellName;
  registration?: 'off' | 'record' | 'conductor' | 'registrar';
  /** More lines of [cell], and further sections. */
  conf?: string;
  /** Its node's name; '': what libvirt says. Default: the host's, as that of Nova's fake driver is. */
  node?: string;
  /** It has a nova-compute, or will have: they share their state_path, as on a real host. */
  compute?: boolean;
};

export function makeHost(t: ExecutionContext, title: string, options: HostOptions = {}): Host {
  const {cell = 'cell1', registration = 'conductor', conf = '', compute = false} = options;
  const name = options.name ?? `${title}-${process.pid}`; // a lab may be used by several runs
  const {node = name} = options;
  const nova = novaLab();
  const dir = join(nova.state.dir, 'agents', name);
  const statePath = compute ? computeFiles(nova.state, name).statePath : join(dir, 'state');
  for (const path of [dir, join(dir, 'spool'), statePath]) mkdirSync(path, {recursive: true, mode: 0o700});
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  const socket = join(dir, 'cellar.sock');
  const own = join(dir, 'host.conf');
  writeFileSync(
    own,
    `[DEFAULT]
host = ${name}
state_path = ${statePath}
transport_url = ${nova.transportUrl(cell)}
report_interval = 1
[cell]
registration = ${registration}
${node === '' ? '' : `hypervisor_hostname = ${node}\n`}${conf}
[image_store]
spool_dir = ${join(dir, 'spool')}
[agent]
socket = ${socket}
log_level = debug
`,
    {mode: 0o600},
  );
  const {novaConf, cellarConf} = lab();
  const idFile = join(statePath, 'compute_id');
  const command = (...args: string[]) => cellar([...args, '--json', '--socket', socket]);
  const status = async () => (JSON.parse((await command('status')).stdout) as StatusAnswer).registration;
  return {
    name,
    statePath,
    computeId: () => (existsSync(idFile) ? readFileSync(idFile, 'utf8') : undefined),
    writeComputeId: uuid => writeFileSync(idFile, uuid),
    async start() {
      const agent = await startAgent([novaConf, cellarConf, own]);
      t.teardown(agent.kill);
      return agent;
    },
    registration: status,
    async becomes(state, why = /^/) {
      const reached = async () => {
        const now = await status();
        if (now.state !== state || !why.test(now.why ?? '')) throw new Error(`${name} is ${JSON.stringify(now)}`);
        return now;
      };
      return waitFor(`${name} as ${state}`, reached, {timeoutMs: 120_000});
    },
    cellar: command,
  };
}

/** Everything that registration may write, of all hosts: without what signs of life change, and inventories of running nova-computes. */
export async function everything({sql}: NovaLab) {
  const services = 'select id, uuid, host, `binary`, topic, deleted, version from services order by id';
  const nodes = 'select id, uuid, host, hypervisor_hostname, mapped, deleted, vcpus from compute_nodes order by id';
  return {
    services: [...(await sql('nova_cell1', services)), ...(await sql('nova_cell2', services))],
    nodes: [...(await sql('nova_cell1', nodes)), ...(await sql('nova_cell2', nodes))],
    mappings: await sql('nova_api', 'select * from host_mappings order by id'),
  };
}

/** The rows of one host. */
export async function rowsOf({sql}: NovaLab, host: string, cell: CellName = 'cell1') {
  const columns =
    'id, uuid, host, hypervisor_hostname, mapped, deleted, service_id, vcpus, memory_mb, hypervisor_type, hypervisor_version, cpu_info, host_ip, cpu_allocation_ratio, ram_allocation_ratio, disk_allocation_ratio';
  const mapping =
    'select h.host, c.uuid as cell from host_mappings h join cell_mappings c on c.id = h.cell_id where h.host =';
  return {
    nodes: await sql(`nova_${cell}`, `select ${columns} from compute_nodes where host = '${host}' order by id`),
    services: await sql(
      `nova_${cell}`,
      `select id, uuid, \`binary\`, topic, report_count, disabled, deleted, version from services where host = '${host}' order by id`,
    ),
    mappings: await sql('nova_api', `${mapping} '${host}'`),
  };
}

/** A client of a cell's conductor, without an agent. */
export function clientOf(t: ExecutionContext, nova: NovaLab, cell: CellName = 'cell1') {
  const rpc = new RpcClient({url: nova.transportUrl(cell)});
  t.teardown(() => rpc.close());
  const conductor = new Conductor(rpc);
  return {rpc, conductor, cell: new CellDatabase(conductor), api: new ApiDatabase(conductor)};
}

/** For a whole test file: the conductor of cell1 has the API's database, as the conductor road needs it. */
export function withApiDatabase(test: TestFn): void {
  test.before('the conductor gets the API database', async () => {
    await novaLab().startConductor('cell1', {apiDatabase: true});
  });
  test.after.always('the conductor as it was', async () => {
    await novaLab().startConductor('cell1');
  });
}
