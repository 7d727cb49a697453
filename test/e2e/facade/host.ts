/** Hosts of the lab's Nova behind a facade: nova-compute as it is packaged, with libvirt, and a cellar-agent. */
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type AgentProcess, type CliResult, cellar, startAgent} from '../../helpers/agent.ts';
import {deadUrl} from '../../helpers/with-server.ts';
import {type CellName, type Compute, novaLab, type ServerRecord} from '../../lab/nova/shared.ts';
import {all} from '../../lab/run.ts';
import {type Account, lab} from '../../lab/shared.ts';
import {makeZone, type Zone} from './zone.ts';

export type Host = {
  name: string;
  compute: Compute;
  /** Of the facade: what nova.conf has as `[glance] endpoint_override`. */
  url: string;
  /** The agent's configuration: nova.conf of this host, and its own files. */
  files: string[];
  socket: string;
  /** The agent that was started last. */
  agent: AgentProcess | undefined;
  startAgent(): Promise<AgentProcess>;
  cellar(...args: string[]): Promise<CliResult>;
};

export type Boot = {
  image: string;
  /** Without one, the disk is as large as the image; that needs the admin. */
  flavor?: string;
  /** Without one, the scheduler chooses from the hosts; naming one needs the admin, and it is the only one that is tried. */
  host?: Host;
  account?: Account;
};

export type Hosts = {
  /** Nothing but what is asked for here runs on them. */
  hosts: Host[];
  zone: Zone;
  /** Asks for a server; answers its id. */
  request(boot: Boot): Promise<string>;
  /** The same; waits until it is ACTIVE or ERROR. */
  boot(boot: Boot): Promise<ServerRecord>;
  /** Every server that is left, then the hosts. */
  remove(): Promise<void>;
};

export type HostOptions = {
  /** nova-compute begins without a facade. */
  stock?: boolean;
  /** Titles of hosts of cell2; all others are of cell1. */
  cell2?: string[];
  /** Further options of the agents' `[image_store]`, as text. */
  imageStore?: string;
};

/** Starts nova-computes with these names, alone in an availability zone of their own. Agents are started by the tests. */
export async function startHosts(titles: string[], options: HostOptions = {}): Promise<Hosts> {
  const nova = novaLab();
  const nameOf = (title: string) => `${title}-${process.pid}`; // a lab may be used by several runs
  const names = titles.map(nameOf);
  const cellOf = (title: string) => (options.cell2?.includes(title) ? 'cell2' : 'cell1');
  const hosts = await all(titles.map(title => startHost(nameOf(title), cellOf(title), options)));
  const zone = await makeZone(names);
  const made = new Set<string>();
  const request: Hosts['request'] = async ({image, flavor = zone.flavor, host, account}) => {
    const where = host === undefined ? {availability_zone: zone.name} : {host: host.name};
    const wanted = {name: 'test', imageRef: image, flavorRef: flavor, networks: 'none', ...where};
    const {server} = await nova.nova<{server: {id: string}}>(
      'POST',
      '/servers',
      {server: wanted},
      account && {account},
    );
    made.add(server.id);
    return server.id;
  };
  return {
    hosts,
    zone,
    request,
    boot: async wanted => nova.server.settled(await request(wanted), 'ACTIVE'),
    async remove() {
      await Promise.allSettled([...made].map(id => nova.server.delete(id)));
      await zone.remove();
      for (const {agent} of hosts) await agent?.kill();
      for (const {compute} of hosts) await compute.remove();
      for (const {files} of hosts) rmSync(join(files.at(-1) ?? '', '..'), {recursive: true, force: true});
    },
  };
}

async function startHost(name: string, cell: CellName, {stock = false, imageStore = ''}: HostOptions): Promise<Host> {
  const nova = novaLab();
  const url = await deadUrl(); // whose port is free
  const compute = await nova.startCompute({host: name, cell, ...(stock ? {} : {glanceEndpoint: url})});
  const dir = join(nova.state.dir, 'agents', name);
  mkdirSync(join(dir, 'spool'), {recursive: true, mode: 0o700});
  const socket = join(dir, 'cellar.sock');
  const own = join(dir, 'cellar.conf');
  const conf = `[facade]
listen = ${new URL(url).host}
[image_store]
spool_dir = ${join(dir, 'spool')}
${imageStore}
[agent]
socket = ${socket}
log_level = debug
`;
  writeFileSync(own, conf, {mode: 0o600});
  const files = [compute.conf, lab().cellarConf, own];
  const host: Host = {
    name,
    compute,
    url,
    files,
    socket,
    agent: undefined,
    async startAgent() {
      host.agent = await startAgent(files);
      return host.agent;
    },
    cellar: (...args) => cellar([...args, '--json', '--socket', socket]),
  };
  return host;
}
