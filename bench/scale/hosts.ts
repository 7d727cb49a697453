/** A process of several simulated hosts: real agents' worlds on the real cluster, each with connections of its own; Glance is counted, not asked. */
import {fileURLToPath} from 'node:url';
import {sweep} from '../../src/core/janitor.ts';
import {resolveDisk} from '../../src/core/resolve.ts';
import type {World} from '../../src/core/world.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {type RbdCell, rbdCell} from '../../src/rbd/cell.ts';
import {makeWorld} from '../../test/core/world.ts';
import {connectAs} from '../../test/rbd/real-cell.ts';
import {type GlanceCounts, type ImageSpec, StandIn} from './glance.ts';

export type HostsOptions = {
  conf: string;
  user: string;
  pools: {cache: string; disks: string};
  /** Names of the hosts. */
  hosts: string[];
  images: ImageSpec[];
  /** ms */
  leaseDuration: number;
};

/** Times in ms. */
export type Boots = {ms: number[]; outcomes: Record<string, number>; failed: string[]};

/** What a process does for the one that drives it. */
export type Work = {
  /** Every host connects, as it does at its first disk. */
  connect(): Promise<{residentBytes: number}>;
  /** The first so many hosts make disks of this image, each one after the other. */
  boot(options: {image: string; hosts: number; disks: number; prefix: string}): Promise<Boots>;
  /** Every host writes down its usage. */
  flush(): Promise<void>;
  /** The first so many hosts try to become the cell's janitor, and do a round if they are. Resolves how many were. */
  sweep(options: {hosts: number}): Promise<number>;
  /** The first host takes the janitor's lease and keeps it, so that nobody else becomes it. */
  holdJanitor(): Promise<boolean>;
  releaseJanitor(): Promise<void>;
  counts(): Promise<GlanceCounts>;
  close(): Promise<void>;
};

export type Call = {id: number; name: keyof Work; options: unknown};
export type Answer = {id: number; value?: unknown; error?: string} | {filling: string};

const never = new AbortController().signal;

if (process.argv[1] === fileURLToPath(import.meta.url)) serve(open(JSON.parse(process.argv[2] ?? '{}')));

function serve(work: Work): void {
  process.on('message', async ({id, name, options}: Call) => {
    try {
      const value = await (work[name] as (options: unknown) => Promise<unknown>)(options);
      process.send?.({id, value} satisfies Answer);
    } catch (error) {
      process.send?.({id, error: (error as Error).message} satisfies Answer);
    }
    if (name === 'close') process.disconnect();
  });
}

function open({conf, user, pools, hosts, images, leaseDuration}: HostsOptions): Work {
  const glance = new StandIn(images);
  const made = hosts.map(host => {
    const cell = rbdCell({
      binding: loadBinding(),
      connect: connectAs({conf}, user),
      pool: pools.cache,
      cloneFormat: 'auto',
      leaseDuration,
      busyTimeout: 5000,
      holder: host,
    });
    return {cell, world: worldOf(host, cell, glance)};
  });
  const first = (count: number) => made.slice(0, count);
  let janitor: Awaited<ReturnType<RbdCell['leases']['acquire']>>;

  return {
    async connect() {
      await Promise.all(made.map(({cell}) => cell.index.pins(never)));
      await Promise.all(made.map(({cell}) => cell.leases.holder('cellar.nobody', never)));
      return {residentBytes: process.memoryUsage.rss()};
    },
    async boot({image, hosts: count, disks, prefix}) {
      const boots: Boots = {ms: [], outcomes: {}, failed: []};
      await Promise.all(
        first(count).map(async ({world}) => {
          for (let n = 0; n < disks; n++) await bootOne(world, {image, pool: pools.disks, prefix, n}, boots);
        }),
      );
      return boots;
    },
    async flush() {
      await Promise.all(made.map(({world, cell}) => world.usage.flush(cell.usage, never)));
    },
    async sweep({hosts: count}) {
      const done = await Promise.all(first(count).map(({world}) => sweep(world, never)));
      return done.filter(Boolean).length;
    },
    async holdJanitor() {
      janitor = await made[0]?.cell.leases.acquire('cellar.janitor', never);
      return janitor !== undefined;
    },
    async releaseJanitor() {
      await janitor?.release();
    },
    counts: async () => ({...glance.counts}),
    async close() {
      await Promise.all(made.map(({cell}) => cell.close()));
    },
  };
}

/** The limits are the defaults of the options, as far as they matter here. */
function worldOf(host: string, cell: RbdCell, glance: StandIn): World {
  const world = makeWorld(cell, glance, {
    host,
    fillInFlight: 8,
    fillTimeout: 3_600_000,
    waitTimeout: 600_000,
    waitPoll: 1000,
    tornSettle: 1000,
    evictGrace: 300_000,
  });
  return {
    ...world,
    emit: event => {
      if (event.type === 'fill-started') process.send?.({filling: host} satisfies Answer);
    },
  };
}

async function bootOne(
  world: World,
  {image, pool, prefix, n}: {image: string; pool: string; prefix: string; n: number},
  boots: Boots,
): Promise<void> {
  const begin = performance.now();
  const name = `${prefix}-${world.self.host}-${n}`;
  try {
    const {outcome} = await resolveDisk({pool, name, image, requester: {token: 'a member'}}, world, {signal: never});
    boots.ms.push(performance.now() - begin);
    boots.outcomes[outcome] = (boots.outcomes[outcome] ?? 0) + 1;
  } catch (error) {
    boots.failed.push((error as Error).message);
  }
}
