import {formatDisk} from './disk.ts';
import type {DiskSpec, Intent} from './ports.ts';
import type {World} from './world.ts';

/** Records kept at most, unless `keep` was told of more; those that were seen first go. */
const most = 10_000;

/**
 * How long this agent has been seeing one and the same record. The times that are written in records are of other hosts'
 * clocks, and a clock that is wrong must neither take what is at work for dead nor keep what is dead: what counts is our own
 * clock, the monotonic one, from our first sight of these very bytes. Only in memory: after a start it counts anew.
 */
export class Sightings {
  readonly #seen = new Map<string, {bytes: string; since: number}>();
  #most = most;

  /** ms since the first sight of this record under this key; 0 at the first. `now` by `performance.now()`. */
  age(key: string, record: object, now = performance.now()): number {
    const bytes = JSON.stringify(record);
    const seen = this.#seen.get(key);
    if (seen?.bytes === bytes) return now - seen.since;
    this.#seen.delete(key);
    this.#seen.set(key, {bytes, since: now});
    const [first] = this.#seen.keys();
    if (this.#seen.size > this.#most && first !== undefined) this.#seen.delete(first);
    return 0;
  }

  /** Forgets all others: they are gone. Of these there may be any number: were they to push each other out, none would ever get old. */
  keep(keys: readonly string[]): void {
    this.#most = Math.max(most, 2 * keys.length);
    const there = new Set(keys);
    for (const key of this.#seen.keys()) if (!there.has(key)) this.#seen.delete(key);
  }
}

type Seen = {intents: Sightings; retired: Sightings};

const byWorld = new WeakMap<World, Seen>();

/** What this agent has seen of the intents of disks, by `pool/name`, and of retired copies, by their name. */
export function sightings(world: World): Seen {
  const seen = byWorld.get(world) ?? {intents: new Sightings(), retired: new Sightings()};
  byWorld.set(world, seen);
  return seen;
}

/** ms that this agent has been seeing this intent; 0 without one. */
export const intentAge = (disk: DiskSpec, intent: Intent | undefined, world: World): number =>
  intent === undefined ? 0 : sightings(world).intents.age(formatDisk(disk), intent);
