import {formatDiskDigest, formOfDiskDigest} from './digest.ts';
import type {Entry} from './entry.ts';
import {CellarError} from './errors.ts';
import type {Retired} from './evict.ts';
import {fill} from './fill.ts';
import type {Requester} from './image.ts';
import {whyNever, whyNotCached} from './plan.ts';
import type {RunOptions} from './request.ts';
import {retire} from './retire.ts';
import {abortable} from './single-flight.ts';
import type {World} from './world.ts';

/** What the cell keeps of an image: its entry, and what is known beyond it. */
export type Copy = Entry & {pinned: boolean /** ISO time. */; lastUse: string | null};

export type Copies = {
  copies: Copy[];
  /** Evicted or replaced, and not yet gone. */
  retired: Retired[];
  /** Images that are pinned, with a copy or without. */
  pins: string[];
};

export async function listCopies({cell, usage}: World, signal: AbortSignal): Promise<Copies> {
  const [{entries, retired, pins}, written] = await Promise.all([cell.index.survey(signal), cell.usage.list(signal)]);
  const lastUse = usage.merge(written);
  return {copies: entries.map(entry => copyOf(entry, pins, lastUse)), retired, pins};
}

export async function showCopy(imageId: string, {cell, usage}: World, signal: AbortSignal): Promise<Copy> {
  const [entry, pins, written] = await Promise.all([
    cell.index.get(imageId, signal),
    cell.index.pins(signal),
    cell.usage.list(signal),
  ]);
  if (entry === undefined) throw noCopy(imageId);
  return copyOf(entry, pins, usage.merge(written));
}

function copyOf(entry: Entry, pins: readonly string[], lastUse: ReadonlyMap<string, number>): Copy {
  const at = lastUse.get(entry.image);
  return {...entry, pinned: pins.includes(entry.image), lastUse: at === undefined ? null : new Date(at).toISOString()};
}

export type Prefetched = {image: string; outcome: 'filled' | 'exists'; size: number; glanceBytes: number};

/**
 * Gets the image into the cell's cache without making a disk. Somebody wants the copy, not the answer: when the caller leaves, the
 * fill goes on, until it is done or the agent stops.
 */
export async function prefetch(
  imageId: string,
  requester: Requester,
  world: World,
  {signal, onProgress}: RunOptions,
): Promise<Prefetched> {
  const image = await world.images.get(imageId, requester, signal);
  const never = whyNever(image) ?? whyNotCached(image);
  if (never !== undefined)
    throw new CellarError('unacceptable', `image ${imageId} cannot be cached: ${never}`, {object: imageId});
  const filling = fill(image, requester, world, {signal: new AbortController().signal, onProgress});
  const used = filling.then(filled => {
    world.usage.touch(imageId);
    return filled;
  });
  used.catch(() => {}); // the caller may have left: then it is told by events only
  const {entry, glanceBytes, leader} = await abortable(used, signal);
  const took = leader ? glanceBytes : 0;
  return {image: imageId, outcome: took > 0 ? 'filled' : 'exists', size: entry.size, glanceBytes: took};
}

export type Pinning = {image: string; pinned: boolean /** Has the cell a copy of it? */; cached: boolean};

/** A pinned copy is evicted by no limit and by no hand. An image may be pinned before it has a copy, and stays so when the copy is replaced. */
export async function setPin(imageId: string, pinned: boolean, {cell}: World, signal: AbortSignal): Promise<Pinning> {
  if (pinned) await cell.index.pin(imageId, signal);
  else await cell.index.unpin(imageId, signal);
  return {image: imageId, pinned, cached: (await cell.index.get(imageId, signal)) !== undefined};
}

export type Eviction = {image: string; evicted: boolean};

/** By hand. A pinned copy is refused. Quarantined leftovers of the image may go from now on. */
export async function evict(imageId: string, world: World, signal: AbortSignal): Promise<Eviction> {
  const {index} = world.cell;
  const [entry, retired] = await Promise.all([index.get(imageId, signal), index.retired(signal)]);
  let evicted = false;
  if (entry !== undefined) {
    evicted = await retire(entry, 'it was evicted by hand', world, signal, {reason: 'by-hand', sparePinned: true});
    if (!evicted && (await index.pins(signal)).includes(imageId)) throw isPinned(imageId);
  }
  for (const one of retired.filter(({image, quarantined}) => image === imageId && quarantined))
    if (await index.forget(one, signal, {...one, quarantined: false})) evicted = true;
  return {image: imageId, evicted};
}

export type Verified = {image: string; rbdImage: string; size: number; intact: boolean};

/** Reads the copy back and compares its digest with what was stored. A copy that differs is quarantined: nobody clones it any more. */
export async function verify(imageId: string, world: World, {signal, onProgress}: RunOptions): Promise<Verified> {
  const {cell, emit} = world;
  const entry = await cell.index.get(imageId, signal);
  if (entry === undefined) throw noCopy(imageId);
  const {rbdImage, size} = entry;
  const told = (result: 'intact' | 'damaged' | 'failed') =>
    emit({type: 'copy-verified', image: imageId, name: rbdImage, result});
  try {
    const intact = await isIntact(entry, world, {signal, ...(onProgress && {onProgress})});
    if (!intact) {
      const why = 'its bytes are not those that were stored';
      const options = {reason: 'damaged', quarantined: true} as const;
      if (!(await retire(entry, why, world, signal, options))) throw leftMeanwhile(imageId);
    }
    told(intact ? 'intact' : 'damaged');
    return {image: imageId, rbdImage, size, intact};
  } catch (error) {
    if (!signal.aborted) told('failed');
    throw error;
  }
}

async function isIntact(entry: Entry, {cell}: World, {signal, onProgress}: RunOptions): Promise<boolean> {
  const {image, rbdImage, snapshot, size} = entry;
  const form = formOfDiskDigest(entry.rawDigest);
  const tell = (received: number) => onProgress?.({image, received, size});
  const {digest} = await cell.copies.digest(rbdImage, snapshot, signal, {form, onProgress: tell});
  return formatDiskDigest(form, digest) === entry.rawDigest;
}

const noCopy = (imageId: string) =>
  new CellarError('not-found', `the cell has no copy of image ${imageId}`, {
    hint: '`cellar image list` shows what it has; `cellar image prefetch`, or the first disk of an image, makes the copy',
    object: imageId,
  });

const isPinned = (imageId: string) =>
  new CellarError('conflict', `the copy of image ${imageId} is pinned`, {
    hint: `cellar image unpin ${imageId}`,
    object: imageId,
  });

const leftMeanwhile = (imageId: string) =>
  new CellarError('conflict', `the copy of image ${imageId} was evicted or replaced while it was read`, {
    hint: 'nothing is known of the new one: try again',
    object: imageId,
  });
