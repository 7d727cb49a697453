import type {Agent, Deletion, DiskView, PartState, Status} from '../api/agent.ts';
import type {FillBoard} from '../core/board.ts';
import * as cache from '../core/cache.ts';
import {formatDisk} from '../core/disk.ts';
import type {Entry} from '../core/entry.ts';
import {asCellarError, CellarError} from '../core/errors.ts';
import type {CacheLimits} from '../core/evict.ts';
import type {Requester} from '../core/image.ts';
import type {DiskSpec, DiskState, Intent} from '../core/ports.ts';
import type {RegistrationStatus} from '../core/registration.ts';
import type {DiskRequest, DiskResult, RunOptions} from '../core/request.ts';
import {resolveDisk} from '../core/resolve.ts';
import {abortable} from '../core/single-flight.ts';
import type {World} from '../core/world.ts';
import type {Exposition} from '../metrics/meters.ts';
import type {Health} from './health.ts';
import type {LoopDelay} from './loop-delay.ts';
import type {Mishap} from './recent.ts';

export type AgentOptions = {
  world: World;
  health: Health;
  loopDelay: LoopDelay;
  version: string;
  /** The cell's name, if the configuration gives one. */
  cell: string | undefined;
  /** Pools that disks may be made in and deleted from. */
  diskPools: readonly string[];
  cephUser: string;
  /** Where images wait to be converted; `open` fails with what is wrong with it. */
  spool: {directory: string; open(): Promise<void>};
  glanceUrl: string | null;
  keystoneUrl: string | null;
  registration(): RegistrationStatus;
  metrics(): Promise<Exposition>;
  /** What went wrong last, newest first. */
  mishaps(): Mishap[];
  board: FillBoard;
};

/** How long `status` waits for the cluster. */
const patience = 2000;

/** The API's backend: the core, with the pools it may touch, and what `status` tells. */
export class CellarAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #since = new Date().toISOString();

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  async createDisk(request: DiskRequest, options: RunOptions): Promise<DiskResult> {
    this.#checkPool(request);
    return resolveDisk(request, this.#options.world, options);
  }

  async showDisk(disk: DiskSpec, signal: AbortSignal): Promise<DiskView> {
    this.#checkPool(disk);
    const {cell} = this.#options.world;
    const [state, intent] = await Promise.all([cell.disks.state(disk, signal), cell.intents.get(disk, signal)]);
    return viewOf(disk, state, intent);
  }

  /** A clone of any image, or what a torn one left. A disk without a parent may be anybody's: it is not ours to remove. */
  async deleteDisk(disk: DiskSpec, signal: AbortSignal): Promise<Deletion> {
    this.#checkPool(disk);
    const {world} = this.#options;
    const {cell, turns, self} = world;
    const object = formatDisk(disk);
    return turns.take(object, signal, async () => {
      const [state, intent] = await Promise.all([cell.disks.state(disk, signal), cell.intents.get(disk, signal)]);
      if (intent !== undefined && intent.host !== self.host) {
        throw new CellarError(
          'conflict',
          `disk ${object} is being made by the agent of ${intent.host} since ${intent.since}`,
          {
            hint: 'delete it from there, or when it is done',
            object,
          },
        );
      }
      if (state.kind === 'image' && state.parent === undefined && intent === undefined) {
        throw new CellarError('conflict', `disk ${object} is no clone of any image: it was not made by cellar`, {
          hint: 'it was left alone; `rbd rm` removes it',
          object,
        });
      }
      if (state.kind !== 'absent') await cell.disks.remove(disk, signal);
      if (intent !== undefined) await cell.intents.clear(disk, intent, signal);
      return {deleted: state.kind !== 'absent'};
    });
  }

  listImages = (signal: AbortSignal) => cache.listCopies(this.#options.world, signal);

  showImage = (id: string, signal: AbortSignal) => cache.showCopy(id, this.#options.world, signal);

  prefetchImage = (id: string, requester: Requester, options: RunOptions) =>
    cache.prefetch(id, requester, this.#options.world, options);

  verifyImage = (id: string, options: RunOptions) => cache.verify(id, this.#options.world, options);

  pinImage = (id: string, signal: AbortSignal) => cache.setPin(id, true, this.#options.world, signal);

  unpinImage = (id: string, signal: AbortSignal) => cache.setPin(id, false, this.#options.world, signal);

  evictImage = (id: string, signal: AbortSignal) => cache.evict(id, this.#options.world, signal);

  fills = (signal: AbortSignal) => this.#options.board.look(signal);

  metrics = () => this.#options.metrics();

  async status(signal: AbortSignal): Promise<Status> {
    const {world, health, loopDelay, version, cell, cephUser, spool, glanceUrl, keystoneUrl, registration, mishaps} =
      this.#options;
    const soon = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    const [fsid, entries, room, spooled] = await Promise.all([
      quietly(abortable(world.cell.disks.fsid(soon), soon)),
      quietly(abortable(world.cell.index.list(soon), soon)),
      quietly(abortable(world.cell.copies.room(soon), soon)),
      spoolState(abortable(spool.open(), soon), soon),
    ]);
    signal.throwIfAborted();
    return {
      version,
      host: world.self.host,
      ...(cell !== undefined && {cell}),
      since: this.#since,
      ceph: {...health.of('ceph'), fsid: fsid ?? null, user: cephUser, pool: world.cell.copies.pool},
      glance: {...health.of('glance'), url: glanceUrl},
      keystone: {...health.of('keystone'), url: keystoneUrl},
      spool: {...spooled, directory: spool.directory},
      registration: registration(),
      fills: world.fills.running.map(({key, progress}) => progress ?? {image: key, received: 0, size: 0}),
      cached: entries === undefined ? null : cachedOf(entries, room, world.limits.cache),
      mishaps: mishaps(),
      eventLoop: loopDelay.worst,
    };
  }

  #checkPool({pool}: DiskSpec): void {
    const {diskPools} = this.#options;
    if (diskPools.includes(pool)) return;
    throw new CellarError(
      'forbidden',
      `pool ${pool} is not one that this agent makes disks in (${diskPools.join(', ')})`,
      {
        hint: 'add it to [image_store] disk_pools, and to the caps of the agent',
        object: pool,
      },
    );
  }
}

function viewOf(disk: DiskSpec, state: DiskState, intent: Intent | undefined): DiskView {
  const making = intent && {intent};
  if (state.kind === 'image') {
    const {size, parent = null, registered, empty} = state;
    return {
      ...disk,
      state: intent ? 'being-made' : registered ? 'whole' : 'torn',
      size,
      parent,
      registered,
      empty,
      ...making,
    };
  }
  const nothing = {size: null, parent: null, registered: false, empty: true};
  if (state.kind === 'torn')
    return {...disk, state: intent ? 'being-made' : 'torn', ...nothing, why: state.why, ...making};
  if (intent !== undefined) return {...disk, state: 'being-made', ...nothing, intent};
  throw new CellarError('not-found', `there is no disk ${formatDisk(disk)}`, {object: formatDisk(disk)});
}

function cachedOf(
  entries: readonly Entry[],
  room: {used: number; available: number} | undefined,
  {maxBytes, maxFill}: CacheLimits,
): NonNullable<Status['cached']> {
  const stored = entries.reduce((sum, entry) => sum + entry.stored, 0);
  const bounds = [
    ...(maxBytes > 0 ? [maxBytes] : []),
    ...(maxFill > 0 && room !== undefined
      ? [Math.max(0, Math.floor(stored + maxFill * (room.used + room.available) - room.used))]
      : []),
  ];
  const limit = bounds.length === 0 ? null : Math.min(...bounds);
  return {images: entries.length, bytes: entries.reduce((sum, {size}) => sum + size, 0), stored, limit};
}

/** A directory on a file system that hangs is neither good nor bad. */
async function spoolState(opened: Promise<void>, signal: AbortSignal): Promise<{state: PartState; why?: string}> {
  try {
    await opened;
    return {state: 'up'};
  } catch (error) {
    return signal.aborted ? {state: 'unknown'} : {state: 'down', why: asCellarError(error).message};
  }
}

const quietly = <V>(promise: Promise<V>): Promise<V | undefined> => promise.catch(() => undefined);
