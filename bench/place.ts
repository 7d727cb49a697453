/** Where everything is measured: one lab with the floors and Nova's code beside it. */
import type {Cluster} from '../test/lab/cluster.ts';
import {clusterAt} from '../test/lab/cluster.ts';
import {startLab, stopLab} from '../test/lab/lab.ts';
import {type OpenStack, openstackOf} from '../test/lab/openstack.ts';
import {halt, run} from '../test/lab/run.ts';
import type {LabState} from '../test/lab/state.ts';
import {type BenchAgent, startBenchAgent} from './roads/agent.ts';
import {type Floors, startFloors} from './roads/floor.ts';
import {type Nova, startNova} from './roads/nova.ts';
import type {Sizes} from './sizes.ts';

export type Place = AsyncDisposable & {
  lab: LabState;
  cell: Cluster;
  openstack: OpenStack;
  sizes: Sizes;
  floors: Floors;
  nova: Nova;
  /** Of a plain member of a project. */
  token(): string;
  /** A new token: an old one may end in the middle of a long run. */
  renewToken(): Promise<void>;
  /** A new agent of the cell, as on a host of this name. Gone with the place at the latest. */
  agent(host?: string): Promise<BenchAgent>;
  /** Where Glance serves an image's bytes. */
  url(image: string): string;
  /** Takes away what the cell keeps of an image that nobody asks for again: its index entry and its copies. */
  dropCopies(image: string): Promise<void>;
};

/** Everything in it ends with it; what it started dies with this process in any case. */
export async function openPlace(base: string, sizes: Sizes): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  stack.defer(() => stopLab(base));
  const lab = await startLab({base, tied: true});
  const cell = clusterAt(lab.cell);
  const openstack = openstackOf(lab);
  const member = await openstack.createProject('bench');
  const floors = stack.use(startFloors(cell.conf));
  const nova = stack.use(startNova(lab));
  const agents = stack.use(new AsyncDisposableStack());
  let token = '';
  const place: Omit<Place, typeof Symbol.asyncDispose> = {
    lab,
    cell,
    openstack,
    sizes,
    floors,
    nova,
    token: () => token,
    renewToken: async () => {
      token = await openstack.token(member, {fresh: true});
    },
    agent: (host = 'bench-1') => {
      halt.signal.throwIfAborted();
      const started = startBenchAgent(lab, host, () => token);
      agents.defer(async () => (await started.catch(() => undefined))?.[Symbol.asyncDispose]()); // also one that is starting
      return started;
    },
    url: image => `${lab.glanceUrl}/v2/images/${image}/file`,
    dropCopies: image => dropCopies(cell, image),
  };
  await place.renewToken();
  const owned = stack.move();
  return {...place, [Symbol.asyncDispose]: () => owned.disposeAsync()};
}

/** By Ceph's own tools, so that it works whatever the agent can do by now. */
export async function dropCopies({conf, rbd}: Cluster, image: string): Promise<void> {
  await run('rados', ['-c', conf, '-p', 'cellar', 'rmomapkey', 'cellar.index', image]);
  const copies = (await rbd('ls', 'cellar')).split('\n').filter(name => name.startsWith(`${image}.`));
  for (const copy of copies) {
    await rbd('snap', 'unprotect', `cellar/${copy}@snap`);
    await rbd('snap', 'purge', '--no-progress', `cellar/${copy}`);
    await rbd('rm', '--no-progress', `cellar/${copy}`);
  }
}
