import {asCellarError, CellarError} from './errors.ts';
import {retire} from './retire.ts';
import type {World} from './world.ts';

/**
 * When Glance was last asked about an image, by this agent: the rounds of a hundred cells would otherwise be most of what it
 * hears. Only in memory: another janitor begins anew.
 */
export class GlanceChecks {
  readonly #last = new Map<string, number>();

  /**
   * Those of the images that were not asked about within `interval` ms. One that this agent meets for the first time gets a time
   * by chance: so many that come at once, when it becomes the janitor, are spread over an interval.
   */
  due(images: readonly string[], interval: number, now = performance.now()): string[] {
    const known = new Set(images);
    for (const image of this.#last.keys()) if (!known.has(image)) this.#last.delete(image);
    return images.filter(image => {
      const last = this.#last.get(image) ?? now - Math.random() * interval;
      this.#last.set(image, last);
      return now - last >= interval;
    });
  }

  answered(image: string, now = performance.now()): void {
    this.#last.set(image, now);
  }
}

/** So many images that Glance could not be asked about end the round: it is down, and each one takes its time. */
const patience = 3;

/**
 * Copies of images that Glance does not know any more. Only asked about images that our own identity could read when they were
 * cached: a 404 for others proves nothing; and about each of them once in a `deletedCheckInterval`, unless it is gone. A pin does
 * not keep them: nobody gets a disk of an image that Glance does not have.
 */
export async function retireDeleted(world: World, signal: AbortSignal): Promise<number> {
  const {cell, checks, limits} = world;
  let count = 0;
  let failed = 0;
  let isGlance = false;
  const entries = (await cell.index.list(signal)).filter(({ownReadable}) => ownReadable);
  const known = entries.map(({image}) => image);
  const due = new Set(checks.due(known, limits.deletedCheckInterval));
  for (const entry of entries) {
    signal.throwIfAborted();
    if (!due.has(entry.image)) continue;
    try {
      if (!(await isDeleted(entry.image, world, signal))) {
        checks.answered(entry.image);
        continue;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (++failed >= patience) throw error;
      continue;
    }
    isGlance ||= await world.images.listable(signal);
    if (!isGlance) throw notGlance(entry.image);
    if (await retire(entry, 'Glance does not have the image any more', world, signal, {reason: 'deleted-image'}))
      count++;
  }
  return count;
}

/** A wrong path, or a proxy that answers in Glance's place, says 404 to everything: the whole cache would go. */
const notGlance = (imageId: string) =>
  new CellarError('unavailable', `Glance does not know image ${imageId}, and does not list any images either`, {
    hint: 'no copy was retired; check that endpoint_override or the catalog leads to Glance, and no proxy answers in its place',
    object: imageId,
  });

/** An administrator still sees an image that is being deleted, by its status. */
async function isDeleted(imageId: string, {images}: World, signal: AbortSignal): Promise<boolean> {
  try {
    const {status} = await images.get(imageId, {}, signal);
    return status === 'deleted' || status === 'pending_delete';
  } catch (error) {
    const {kind} = asCellarError(error);
    if (kind === 'not-found') return true;
    if (kind === 'forbidden') return false;
    throw error;
  }
}
