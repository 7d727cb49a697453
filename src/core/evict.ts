import type {Entry} from './entry.ts';
import type {RetireReason} from './events.ts';

/** A copy that the index names no more. It goes when nobody may still be cloning it and it has no clones. */
export type Retired = {
  schema: 1;
  image: string;
  rbdImage: string;
  /** Bytes it takes in the pool. */
  stored: number;
  /** ISO time. */
  since: string;
  why: string;
  /** Its bytes are not what was stored: kept for somebody to look at, until evicted by hand. */
  quarantined: boolean;
};

/** The copy that a newer one replaces, to be written down with the newer one's entry. */
export const replaced = ({image, rbdImage, stored}: Entry): Retired => ({
  schema: 1,
  image,
  rbdImage,
  stored,
  since: new Date().toISOString(),
  why: 'a newer copy was published',
  quarantined: false,
});

/** What is written down of a copy. One that this version cannot read counts as quarantined: the copy stays until somebody has looked. */
export function parseRetired(rbdImage: string, text: string): Retired {
  try {
    const value = JSON.parse(text) as Retired;
    const whole = value.schema === 1 && value.rbdImage === rbdImage && !Number.isNaN(Date.parse(value.since));
    if (whole && Number.isSafeInteger(value.stored) && typeof value.quarantined === 'boolean') return value;
  } catch {
    // as below
  }
  const image = rbdImage.split('.', 1)[0] ?? '';
  const why = 'what was written down of it cannot be read';
  return {schema: 1, image, rbdImage, stored: 0, since: new Date(0).toISOString(), why, quarantined: true};
}

/** Bounds on the cache of the cell. 0: no bound. */
export type CacheLimits = {
  /** Bytes stored, all copies together. */
  maxBytes: number;
  /** How full the pool may be, 0 to 1. */
  maxFill: number;
  /** ms since a copy was last used. */
  maxIdle: number;
};

export type CacheFacts = {
  entries: readonly Entry[];
  /** ms since the epoch, by image. */
  lastUse: ReadonlyMap<string, number>;
  pinned: ReadonlySet<string>;
  /** Bytes of the pool, where the cluster tells. */
  room: {used: number; available: number} | undefined;
  /** Bytes that are about to be stored. */
  wanted: number;
  /** Bytes retired and not yet gone: they are on their way out, and what is evicted for them again would be evicted for nothing. */
  leaving: number;
  limits: CacheLimits;
  now: number;
};

export type Victim = {entry: Entry; why: string; reason: RetireReason};

/**
 * Which copies have to go: those idle too long, then the least recently used until size and fill are within bounds. Pinned ones
 * stay, whatever the bounds. A copy that was never used counts from when it was made. Pure.
 */
export function chooseVictims(facts: CacheFacts): Victim[] {
  const {entries, pinned, limits, now} = facts;
  const used = (entry: Entry) => Math.max(facts.lastUse.get(entry.image) ?? 0, Date.parse(entry.created) || 0);
  const candidates = entries.filter(({image}) => !pinned.has(image)).sort((a, b) => used(a) - used(b));
  const idle = candidates.filter(entry => limits.maxIdle > 0 && now - used(entry) > limits.maxIdle);
  const victims: Victim[] = idle.map(entry => ({
    entry,
    why: `it was not used for ${duration(now - used(entry))}`,
    reason: 'idle',
  }));
  const rest = candidates.slice(idle.length); // sorted: the idle ones come first
  const freed = idle.reduce((sum, entry) => sum + entry.stored, 0);
  const size = bySize(facts) - freed;
  const fill = byFill(facts) - freed;
  const reason = size >= fill ? 'max_size' : 'max_fill';
  const why = size >= fill ? 'the copies are more than max_size' : 'the pool is fuller than max_fill';
  let excess = Math.max(size, fill);
  for (const entry of rest) {
    if (excess <= 0) break;
    victims.push({entry, why: `${why}, and it was used least recently`, reason});
    excess -= entry.stored;
  }
  return victims;
}

/** Bytes that have to go for the copies to be within max_size; less than 0 when there is room. */
function bySize({entries, wanted, limits: {maxBytes}}: CacheFacts): number {
  if (maxBytes <= 0) return Number.NEGATIVE_INFINITY;
  const stored = entries.reduce((sum, entry) => sum + entry.stored, 0);
  return stored + fitting(wanted, maxBytes) - maxBytes;
}

/** The same for the pool and max_fill. */
function byFill({room, wanted, leaving, limits: {maxFill}}: CacheFacts): number {
  if (room === undefined || maxFill <= 0) return Number.NEGATIVE_INFINITY;
  const allowed = maxFill * (room.used + room.available);
  return room.used - leaving + fitting(wanted, allowed) - allowed;
}

/** What can never fit is no reason to evict all the others. It may well be mostly holes: the janitor looks at what was stored. */
const fitting = (wanted: number, allowed: number): number => (wanted > allowed ? 0 : wanted);

const duration = (ms: number): string =>
  ms < 7_200_000 ? `${Math.round(ms / 60_000)} minutes` : `${Math.round(ms / 3_600_000)} hours`;

/** Is it time to remove this copy, seen to be retired for `age` ms? Not while a clone that was begun before that may still be under way. */
export const mayLeave = ({quarantined}: Retired, age: number, grace: number): boolean => !quarantined && age >= grace;
