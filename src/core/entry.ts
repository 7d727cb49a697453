import {CellarError} from './errors.ts';

/**
 * One cached copy as the index records it: the commit record of a fill. Readers trust only this, never "the image exists".
 * Sizes are bytes; digests lower-case hex. JSON on the wire, with `schema` first so that an older agent refuses a newer one.
 */
export type Entry = {
  schema: 1;
  /** The Glance image. */
  image: string;
  generation: string;
  rbdImage: string;
  snapshot: string;
  /** Bytes of the disk. */
  size: number;
  /** Bytes the copy takes in the pool: holes are not stored. */
  stored: number;
  /** Could the agent's own identity read the image? Only then does a later 404 mean that it was deleted. */
  ownReadable: boolean;
  /** The file as Glance sent it: its format, length, and every digest we computed of it, by algorithm. */
  source: {diskFormat: string; size: number; digests: Record<string, string>; verified: boolean};
  /** Of the disk's bytes as they were in the cluster, for later re-reading: see `formatDiskDigest`. */
  rawDigest: string;
  /** ISO time. */
  created: string;
  /** The host whose agent filled it. */
  host: string;
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const strings = ['image', 'generation', 'rbdImage', 'snapshot', 'rawDigest', 'created', 'host'] as const;

/** The entry in a JSON text. Fails with `internal` on one that is damaged or newer than this agent: it is never guessed at. */
export function parseEntry(text: string): Entry {
  const refuse = (why: string, cause?: unknown) =>
    new CellarError('internal', `an entry of the cache index cannot be read: ${why}`, {
      hint: 'upgrade this agent, or remove the entry with `rados rmomapkey` after looking at it',
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse('it is not JSON', error);
  }
  if (!isObject(value)) throw refuse('it is not an object');
  if (value['schema'] !== 1) throw refuse(`its schema is ${JSON.stringify(value['schema'])}, this agent knows 1`);
  const {source, size} = value;
  const wrong = strings.find(key => typeof value[key] !== 'string');
  if (wrong !== undefined) throw refuse(`its ${wrong} is no text`);
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw refuse('its size is no number of bytes');
  if (!isObject(source) || !isObject(source['digests']) || typeof source['diskFormat'] !== 'string') {
    throw refuse('its source is incomplete');
  }
  const {stored = size, ownReadable = false} = value; // an older agent wrote neither
  if (!Number.isSafeInteger(stored) || (stored as number) < 0) throw refuse('its stored is no number of bytes');
  if (typeof ownReadable !== 'boolean') throw refuse('its ownReadable is neither true nor false');
  return {...value, stored, ownReadable} as Entry;
}

export const formatEntry = (entry: Entry): string => JSON.stringify(entry);
