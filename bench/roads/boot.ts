/** Servers booted by unmodified nova-computes: one as it is packaged, one whose only change is `[glance] endpoint_override`. */
import {mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {startAgent} from '../../test/helpers/agent.ts';
import {deadUrl} from '../../test/helpers/with-server.ts';
import {clusterAt} from '../../test/lab/cluster.ts';
import {startLab, stopLab} from '../../test/lab/lab.ts';
import {type Compute, type NovaLab, novaLabAt} from '../../test/lab/nova/shared.ts';
import {type OpenStack, openstackOf} from '../../test/lab/openstack.ts';
import {type LabState, stateFile} from '../../test/lab/state.ts';
import {timed} from '../interleave.ts';
import {dropCopies} from '../place.ts';

/** Milliseconds: from the API call to ACTIVE, and of that what nova-compute took for the disk. `written`: bytes, to the host's own disk. */
export type Boot = {active: number; step: number; written: number};

export type Host = {
  boot(image: string): Promise<Boot>;
  /** Bytes of images that are left on the host. */
  kept(): number;
  /** Removes what the host, and behind the facade the cell, keeps of the image. */
  forget(image: string): Promise<void>;
};

export type BootPlace = AsyncDisposable & {
  lab: LabState;
  openstack: OpenStack;
  stock: Host;
  facade: Host;
  /** Of the facade. */
  facadeUrl: string;
};

/** A lab of its own, with Nova. Both hosts are in the same cell, so the same cluster has their disks. */
export async function openBootPlace(base: string): Promise<BootPlace> {
  await using stack = new AsyncDisposableStack();
  stack.defer(() => stopLab(base));
  const lab = await startLab({base, tied: true, nova: {cells: 1, compute: false}});
  const nova = novaLabAt(stateFile(base));
  const stock = hostOf(nova, await nova.startCompute({host: 'bench-stock'}), {pids: []});
  const url = await deadUrl(); // its port is free
  const behind = await nova.startCompute({host: 'bench-cellar', glanceEndpoint: url});
  const agent = stack.use(await startAgent(agentFiles(lab, behind, new URL(url).host)));
  const owned = stack.move();
  return {
    lab,
    openstack: openstackOf(lab),
    stock,
    facade: hostOf(nova, behind, {pids: [agent.pid], dropCopies: image => dropCopies(clusterAt(lab.cell), image)}),
    facadeUrl: url,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** nova.conf as nova-compute has it, the lab's cellar.conf without what is shortened for tests, and the facade. */
function agentFiles(lab: LabState, {conf}: Compute, listen: string): string[] {
  const dir = join(lab.base, 'bench');
  mkdirSync(dir, {recursive: true});
  const own = join(dir, 'cellar.conf');
  writeFileSync(
    own,
    `[image_store]\nfill_lease = 30\n[facade]\nlisten = ${listen}\n[agent]\nsocket = ${join(dir, 'cellar.sock')}\n`,
  );
  return [conf, lab.cellarConf, own];
}

type Caching = {pids: number[]; dropCopies?: (image: string) => Promise<void>};

function hostOf(nova: NovaLab, compute: Compute, {pids, dropCopies}: Caching): Host {
  const base = join(compute.instancesPath, '_base');
  const written = () => [...pids, pidOf(compute)].reduce((sum, pid) => sum + writtenBy(pid), 0);
  return {
    async boot(image) {
      const [mark, before] = [compute.logMark(), written()];
      const {ms: active, value: server} = await timed(() => nova.server.create({image, host: compute.host}));
      if (server.status !== 'ACTIVE')
        throw new Error(`server ${server.id} is ${server.status}: ${server.fault?.message}`);
      const boot = {active, step: imageStep(compute.logText(mark), server.id), written: written() - before};
      await nova.server.delete(server.id);
      return boot;
    },
    kept: () => filesOf(base).reduce((sum, file) => sum + statSync(file).size, 0),
    async forget(image) {
      for (const file of filesOf(base)) rmSync(file);
      await dropCopies?.(image);
    },
  };
}

function filesOf(dir: string): string[] {
  try {
    return readdirSync(dir).map(name => join(dir, name));
  } catch {
    return [];
  }
}

const pidOf = ({dir}: Compute): number => JSON.parse(readFileSync(join(dir, 'run', 'nova-compute.json'), 'utf8')).pid;

/** Bytes that a process had written to a disk, and the commands it ran: Linux adds a child's to its parent's. */
function writtenBy(pid: number): number {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8');
  return Number(/^write_bytes: (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
}

/** From "Creating image(s)" to the guest's XML, by the stamps of nova-compute's log. */
function imageStep(log: string, server: string): number {
  const lines = log.split('\n').filter(line => line.includes(server));
  const at = (text: string) => {
    const line = lines.find(each => each.includes(text));
    if (line === undefined) throw new Error(`nova-compute logged no "${text}" for server ${server}`);
    return Date.parse(`${line.slice(0, 10)}T${line.slice(11, 23)}Z`);
  };
  return at('Start _get_guest_xml') - at('Creating image(s)');
}
