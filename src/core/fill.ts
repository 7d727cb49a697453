import {randomBytes} from 'node:crypto';
import {setTimeout as sleep} from 'node:timers/promises';
import {awaitFill} from './await-fill.ts';
import {formatBulletin} from './bulletin.ts';
import {isStoredAsIs, makeCopy} from './copy.ts';
import type {Entry} from './entry.ts';
import {asCellarError, CellarError, errorKinds} from './errors.ts';
import type {ImageRecord, Requester} from './image.ts';
import {Paced} from './paced.ts';
import {whyDifferent} from './plan.ts';
import type {Lease} from './ports.ts';
import type {Progress} from './request.ts';
import {knownCopies, makeRoom, removeCopy} from './retire.ts';
import type {Flight, SingleFlight} from './single-flight.ts';
import type {World} from './world.ts';

/** `glanceBytes`: what this fill took from Glance; 0 when the copy was there by the time it was our turn. */
export type Filled = {entry: Entry; glanceBytes: number; ms: number};

export type FillFlights = SingleFlight<Filled, Progress>;

export const fillLeases = 'cellar.fill.';

/** The name of a fill's lease. */
export const fillLease = (imageId: string): string => `${fillLeases}${imageId}`;

/** ms between two looks at another host's fill, at least, however often it is said to have ended. */
const betweenLooks = 50;

/** A cached copy's image is `<image id>.<generation>`. */
export const copyName = (imageId: string, generation: string): string => `${imageId}.${generation}`;

const copyPattern = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9a-f]{16})$/;

/** The Glance image a copy's name stands for; undefined for an image of somebody else's in the pool. */
export const imageOfCopy = (name: string): string | undefined => copyPattern.exec(name)?.[1];

/**
 * Gets the image into the cell's cache, once: requests of this process share one fill, and among hosts the lease elects
 * one. Those that lose wait for the winner's entry. A caller whose rights are not enough to download does not spoil it for
 * the others: who joined tries again with its own.
 */
export async function fill(
  image: ImageRecord,
  requester: Requester,
  world: World,
  options: {signal: AbortSignal; onProgress?: ((progress: Progress) => void) | undefined},
): Promise<Filled & {leader: boolean}> {
  for (;;) {
    let leader = false;
    try {
      const start = (flight: Flight<Progress>) => {
        leader = true;
        return fillOrWait(image, requester, world, flight);
      };
      const {value} = await world.fills.run(image.id, start, options);
      return {...value, leader};
    } catch (error) {
      const {kind} = asCellarError(error);
      if (leader || options.signal.aborted) throw error;
      if (kind !== 'unauthorized' && kind !== 'forbidden' && kind !== 'not-found') throw error;
    }
  }
}

async function fillOrWait(
  image: ImageRecord,
  requester: Requester,
  world: World,
  {signal: caller, report}: Flight<Progress>,
): Promise<Filled> {
  const {cell, limits, emit} = world;
  const started = performance.now();
  let waiting = false;
  const waited = (outcome: 'copy' | 'turn' | 'failed') => {
    if (waiting) emit({type: 'fill-waited', image: image.id, outcome, ms: performance.now() - started});
    waiting = false;
  };
  try {
    for (;;) {
      const looked = performance.now();
      const entry = await cell.index.get(image.id, caller);
      if (entry !== undefined && whyDifferent(image, entry) === undefined) {
        waited('copy');
        return {entry, glanceBytes: 0, ms: 0};
      }
      const lease = await cell.leases.acquire(fillLease(image.id), caller);
      if (lease !== undefined) {
        waited('turn');
        try {
          return await fillUnderLease(image, requester, world, lease, {signal: caller, report});
        } finally {
          await lease.release();
        }
      }
      waiting = true;
      const most = started + limits.waitTimeout - performance.now();
      if (most <= 0) throw waitedInVain(image, limits.waitTimeout);
      const holder = (await cell.leases.holder(fillLease(image.id), caller)) ?? 'nobody';
      emit({type: 'fill-waiting', image: image.id, holder});
      await awaitFill(image.id, fillLease(image.id), world, {signal: caller, report, most});
      const early = Math.min(betweenLooks, limits.waitPoll) - (performance.now() - looked);
      if (early > 0) await sleep(early, undefined, {signal: caller});
    }
  } catch (error) {
    waited('failed');
    throw error;
  }
}

async function fillUnderLease(
  image: ImageRecord,
  requester: Requester,
  world: World,
  lease: Lease,
  {signal: caller, report}: Flight<Progress>,
): Promise<Filled> {
  const {cell, emit, limits, self} = world;
  const deadline = AbortSignal.timeout(limits.fillTimeout);
  const signal = AbortSignal.any([caller, lease.lost, deadline]);
  const started = performance.now();
  const generation = randomBytes(8).toString('hex');
  const size = image.size ?? 0;
  try {
    await cell.index.claim(image.id, generation, signal);
    const replaces = await cell.index.get(image.id, signal); // after the claim: an earlier filler cannot publish any more
    if (replaces !== undefined && whyDifferent(image, replaces) === undefined) {
      await cell.index.unclaim(image.id, generation, signal);
      return {entry: replaces, glanceBytes: 0, ms: 0};
    }
    emit({type: 'fill-started', image: image.id, generation, size});
    const tell = (progress: Progress) => {
      report(progress);
      emit({type: 'fill-progress', ...progress});
      lease.tell(formatBulletin({...progress, generation, host: self.host}));
    };
    tell({image: image.id, received: 0, size});
    await removeLeftovers(image.id, world, signal);
    await makeRoom(sizeInPool(image), world, signal);
    const copy = await writeCopy(image, requester, generation, world, {signal, report: tell});
    signal.throwIfAborted();
    const {entry} = copy;
    if (!(await cell.index.publish(entry, replaces, signal))) throw outrun(image);
    const ms = performance.now() - started;
    emit({type: 'fill-published', image: image.id, generation, size, disk: entry.size, written: copy.written, ms});
    return {entry, glanceBytes: size, ms};
  } catch (error) {
    const failure = lease.lost.aborted
      ? outrun(image)
      : deadline.aborted
        ? tookTooLong(image, limits.fillTimeout)
        : error;
    const ms = performance.now() - started;
    emit({type: 'fill-failed', image: image.id, generation, error: asCellarError(failure), ms});
    await withdraw(image.id, generation, world, lease.lost).catch(() => {}); // recovery tries again
    throw failure;
  }
}

/**
 * Takes back what a failed fill left. The claim goes first: a commit that was not answered may still be on its way, and fails
 * on that. Or it had been applied: then the copy is the index's and stays. Who has the lease after us takes our copy away, and
 * may be at it: to remove it means to fence off whoever else has it open.
 */
async function withdraw(imageId: string, generation: string, world: World, lost: AbortSignal): Promise<void> {
  const {index} = world.cell;
  const signal = AbortSignal.timeout(world.limits.cleanUpTimeout);
  const wasOurs = await index.unclaim(imageId, generation, signal);
  if (!wasOurs || lost.aborted) return;
  const entry = await index.get(imageId, signal);
  if (entry?.generation === generation) return;
  await removeCopy(copyName(imageId, generation), 'its fill failed', world, AbortSignal.any([signal, lost]));
}

/** Streams the image into its generation and seals it. The caller removes the generation when this fails. */
async function writeCopy(
  image: ImageRecord,
  requester: Requester,
  generation: string,
  world: World,
  {signal, report}: Flight<Progress>,
): Promise<{entry: Entry; written: number}> {
  const {images, self} = world;
  using progress = new Paced(received => report({image: image.id, received, size: image.size ?? 0}));
  const left = new AbortController(); // a body that nobody began to read does not end by itself
  try {
    const both = AbortSignal.any([signal, left.signal]);
    const early = isOwnReadable(image, requester, world, both);
    early.catch(() => {}); // asked again when the copy is there
    const download = await images.download(image, requester, both);
    const onReceived = (received: number) => progress.push(received);
    const name = copyName(image.id, generation);
    const sealed = await makeCopy(image, download, world, {name, signal, onReceived});
    progress.flush();
    // Who cannot say it twice does not know: then the copy outlives the image until it is evicted.
    const ownReadable = await early.catch(() => isOwnReadable(image, requester, world, signal)).catch(() => false);
    const {snapshot, size, stored, digests, verified, rawDigest} = sealed;
    const entry: Entry = {
      schema: 1,
      image: image.id,
      generation,
      rbdImage: snapshot.image,
      snapshot: snapshot.snapshot,
      size,
      stored,
      ownReadable,
      source: {diskFormat: image.diskFormat ?? '', size: image.size ?? 0, digests, verified},
      rawDigest,
      created: new Date().toISOString(),
      host: self.host,
    };
    return {entry, written: stored};
  } finally {
    left.abort();
  }
}

/**
 * Asked when the copy is made: a 404 later on then means that the image was deleted, and not that we never could see it. Fails
 * when Glance or Keystone do not say: a fault of the moment says nothing about our rights.
 */
async function isOwnReadable(
  {id}: ImageRecord,
  {token}: Requester,
  {images}: World,
  signal: AbortSignal,
): Promise<boolean> {
  if (token === undefined) return true;
  try {
    await images.get(id, {}, signal);
    return true;
  } catch (error) {
    if (errorKinds[asCellarError(error).kind].retry) throw error;
    return false;
  }
}

/** Generations of this image that neither the index nor the list of the retired names: a filler died. We hold the lease and the claim, so nobody writes or publishes them any more. */
async function removeLeftovers(imageId: string, world: World, signal: AbortSignal): Promise<void> {
  const names = (await world.cell.copies.list(signal)).filter(name => imageOfCopy(name) === imageId);
  if (names.length === 0) return;
  const known = await knownCopies(imageId, world, signal);
  for (const name of names) if (!known.has(name)) await removeCopy(name, 'its filler died', world, signal);
}

/** Bytes that the copy may take, as far as they are known: what is converted becomes as large as its disk. */
const sizeInPool = (image: ImageRecord): number =>
  (isStoredAsIs(image) ? image.size : (image.virtualSize ?? image.size)) ?? 0;

const outrun = (image: ImageRecord) =>
  new CellarError(
    'unavailable',
    `the fill of image ${image.id} lost its lease, and another agent may have taken over`,
    {
      hint: 'nothing was published by this one; try again',
      object: image.id,
    },
  );

const tookTooLong = (image: ImageRecord, ms: number) =>
  new CellarError('timeout', `the fill of image ${image.id} did not end within ${Math.round(ms / 1000)} s`, {
    hint: 'raise [image_store] fill_timeout, or look at why Glance or the cluster is slow',
    object: image.id,
  });

const waitedInVain = (image: ImageRecord, ms: number) =>
  new CellarError(
    'timeout',
    `image ${image.id} was not in the cell's cache after waiting ${Math.round(ms / 1000)} s for another host's fill`,
    {
      hint: 'try again; `cellar image list` shows what is cached, the log of the other host what its fill does',
      object: image.id,
    },
  );
