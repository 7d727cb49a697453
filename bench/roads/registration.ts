/** A Nova with hosts that are not mapped yet, and who maps them: an agent, the agent's code, `nova-manage cell_v2 discover_hosts`. */
import {randomUUID} from 'node:crypto';
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {ApiDatabase} from '../../src/nova/api-database.ts';
import {busOf} from '../../src/nova/bus.ts';
import {CellDatabase} from '../../src/nova/cell-database.ts';
import {findCell, mapHost} from '../../src/nova/mapping.ts';
import {Conductor} from '../../src/oslo/conductor.ts';
import {RpcClient} from '../../src/oslo/rpc.ts';
import {startAgent} from '../../test/helpers/agent.ts';
import {startLab, stopLab} from '../../test/lab/lab.ts';
import {type NovaLab, novaLabAt} from '../../test/lab/nova/shared.ts';
import {type LabState, stateFile} from '../../test/lab/state.ts';
import {timed} from '../interleave.ts';

export type Unmapped = {host: string; uuid: string};

export type RegistrationPlace = AsyncDisposable & {
  /** Milliseconds from the start of an agent's process on a new host until the host is mapped. */
  agent(host: string): Promise<number>;
  /** Compute nodes of new hosts, as agents or nova-computes would have made them. */
  makeRecords(title: string, count: number): Promise<Unmapped[]>;
  /** Milliseconds that discover_hosts takes, run to its end. */
  discover(): Promise<number>;
  /** Finds the cell of the host and maps it there, as an agent does it: milliseconds, and calls to the conductor. */
  map(host: Unmapped): Promise<{ms: number; calls: number}>;
  /** How many of these are mapped, by the rows. */
  mapped(hosts: readonly Unmapped[]): Promise<number>;
};

/** A lab of its own, whose conductor has [api_database]. */
export async function openRegistrationPlace(base: string): Promise<RegistrationPlace> {
  await using stack = new AsyncDisposableStack();
  stack.defer(() => stopLab(base));
  const lab = await startLab({base, tied: true, nova: {cells: 1, compute: false}});
  const nova = novaLabAt(stateFile(base));
  await nova.startConductor('cell1', {apiDatabase: true});
  const rpc = new CountingRpc({url: nova.transportUrl('cell1')});
  stack.defer(() => rpc.close());
  const conductor = new Conductor(rpc);
  const [api, cell, bus] = [new ApiDatabase(conductor), new CellDatabase(conductor), busOf(nova.transportUrl('cell1'))];
  const owned = stack.move();
  return {
    agent: host => startToMapped(lab, nova, host),
    makeRecords: (title, count) => makeRecords(nova, title, count),
    discover: async () => (await timed(() => nova.discoverHosts())).ms,
    async map({host, uuid}) {
      const [signal, before] = [AbortSignal.timeout(120_000), rpc.calls];
      const {ms} = await timed(async () => {
        const to = await findCell({api, cell}, {host, claim: {}, bus}, signal);
        await mapHost({api, cell}, {host, uuid, to}, signal);
      });
      return {ms, calls: rpc.calls - before};
    },
    async mapped(hosts) {
      const names = hosts.map(({host}) => `'${host}'`).join();
      const [row] = await nova.sql('nova_api', `select count(*) as n from host_mappings where host in (${names})`);
      return Number(row?.['n']);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

class CountingRpc extends RpcClient {
  calls = 0;

  override call(call: Parameters<RpcClient['call']>[0]): Promise<unknown> {
    this.calls += 1;
    return super.call(call);
  }
}

async function startToMapped(lab: LabState, nova: NovaLab, host: string): Promise<number> {
  const dir = join(lab.base, 'bench', host);
  for (const path of [dir, join(dir, 'spool'), join(dir, 'state')]) mkdirSync(path, {recursive: true, mode: 0o700});
  const own = join(dir, 'cellar.conf');
  const sections = {
    DEFAULT: {host, state_path: join(dir, 'state'), transport_url: nova.transportUrl('cell1')},
    cell: {registration: 'conductor', hypervisor_hostname: host},
    image_store: {spool_dir: join(dir, 'spool')},
    agent: {socket: join(dir, 'cellar.sock')},
  };
  const lines = Object.entries(sections).flatMap(([section, options]) => [
    `[${section}]`,
    ...Object.entries(options).map(([name, value]) => `${name} = ${value}`),
  ]);
  writeFileSync(own, `${lines.join('\n')}\n`, {mode: 0o600});
  const begin = performance.now();
  await using agent = await startAgent([lab.novaConf, lab.cellarConf, own]);
  await agent.waitForLog(line => line['event'] === 'host-mapped', 120_000);
  const ms = performance.now() - begin;
  await agent.stop();
  rmSync(dir, {recursive: true, force: true});
  return ms;
}

async function makeRecords({sql}: NovaLab, title: string, count: number): Promise<Unmapped[]> {
  const hosts = Array.from({length: count}, (_, n) => ({host: `${title}-${n + 1}`, uuid: randomUUID()}));
  const values = hosts.map(
    ({host, uuid}) => `(now(), 0, '${uuid}', '${host}', '${host}', 8, 16384, 100, 0, 0, 0, 'QEMU', 7002000, '', 0)`,
  );
  await sql(
    'nova_cell1',
    `insert into compute_nodes (created_at, deleted, uuid, host, hypervisor_hostname, vcpus, memory_mb, local_gb, vcpus_used,
       memory_mb_used, local_gb_used, hypervisor_type, hypervisor_version, cpu_info, mapped) values ${values.join()}`,
  );
  return hosts;
}
