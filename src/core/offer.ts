import {setTimeout as sleep} from 'node:timers/promises';
import {asCellarError, CellarError} from './errors.ts';
import type {NotOffered} from './events.ts';
import {beginFacts, copyOf, type EarlyFacts, gatherFacts} from './facts.ts';
import {type Filled, fill} from './fill.ts';
import type {ImageRecord, Requester} from './image.ts';
import {formatSnapshot, parseLocation, type RbdLocation, sameSnapshot} from './location.ts';
import {choosePlan, whyNever} from './plan.ts';
import type {ParentState, SnapshotSpec} from './ports.ts';
import {retire} from './retire.ts';
import {abortable} from './single-flight.ts';
import type {World} from './world.ts';

/** A snapshot in our cluster that was opened a moment ago and can be cloned. It holds the disk, and not the file. */
export type Offer = RbdLocation & {raw: true};

/** `why` in words for an operator: why there is nothing to offer, which is never an error; `reason` for counting. */
export type Offered = {offer: Offer} | {offer?: undefined; why: string; reason?: NotOffered};

export type OfferOptions = {
  /** Aborts when the asker goes away. */
  signal: AbortSignal;
  /** ms that the asker waits, for a fill and for all that has to be found out; but two seconds to see what is there. */
  hold: number;
  /** Without it only what is there is offered. */
  mayFill?: boolean;
  /** What was begun while Glance was asked. */
  begun?: EarlyOffer | undefined;
};

/** What the cell knows of an image whose record is still on its way, and whether its copy is there. */
export type EarlyOffer = {
  facts: EarlyFacts;
  copy: Promise<{spec: SnapshotSpec; state: ParentState} | undefined>;
  /** By `performance.now()`. */
  since: number;
};

/** ms for a look at what is there, also where no fill is waited for. */
const leastLook = 2000;

/** ms that a look is believed. An evicted copy stays for a minute at least. */
const fresh = 1000;

/** Asks the cell while Glance is asked. What it answers is for `offerCopy`: until Glance has said yes it is told to nobody. */
export function beginOffer(imageId: string, world: World, signal: AbortSignal): EarlyOffer {
  const since = performance.now();
  const {cell} = world;
  const facts = beginFacts(imageId, world, signal);
  const look = async () => {
    const entry = await facts.cached;
    const spec = entry && copyOf(cell.copies.pool, entry);
    return spec && {spec, state: await cell.disks.parentState(spec, signal)};
  };
  const copy = look();
  copy.catch(() => {}); // Glance's no is the answer then
  return {facts, copy, since};
}

/**
 * What somebody who clones by himself, as Nova does, can clone instead of downloading the image, whose record Glance has just
 * given for his token. Without a copy one is made. When that takes longer than `hold` there is nothing to offer, and the fill
 * goes on for the next one who asks; when the asker goes away before that, a fill that only he wanted ends. Nor is there when
 * Glance, Keystone or the cell do not say in that time what there is. Never rejects: a failure is an event, and nothing to offer.
 */
export async function offerCopy(
  image: ImageRecord,
  requester: Requester,
  world: World,
  options: OfferOptions,
): Promise<Offered> {
  const never = whyNever(image);
  if (never !== undefined) return {why: never, reason: 'not-served'};
  const notNova = whyNotNova(image);
  if (notNova !== undefined) return {why: notNova, reason: 'iso'};
  try {
    return await findOffer(image, requester, world, options);
  } catch (thrown) {
    const error = asCellarError(thrown);
    if (!options.signal.aborted) world.emit({type: 'offer-failed', image: image.id, error});
    return {why: error.message, reason: options.signal.aborted ? 'left' : 'failed'};
  }
}

/**
 * Nova clones only what is said to be `raw`. A Nova that finds no block device mapping of the image takes the kind of the root
 * device (disk or CD-ROM) from its disk_format, where it rebuilds out of this very answer: an ISO that is said to be raw would come
 * up as a disk. Nova 26 has the mapping, in which it is a disk in any case.
 */
export const whyNotNova = ({diskFormat}: {diskFormat: string | undefined}): string | undefined =>
  diskFormat === 'iso' ? 'its disk_format is iso, which Nova must be told to make it a CD-ROM' : undefined;

async function findOffer(
  image: ImageRecord,
  requester: Requester,
  world: World,
  {signal, hold, mayFill = true, begun}: OfferOptions,
): Promise<Offered> {
  const started = performance.now();
  const early = begun !== undefined && started - begun.since < fresh ? begun : undefined;
  using looks = patience(image, Math.max(hold, leastLook), signal);
  const facts = await looks.take(gatherFacts(image, undefined, world, looks.signal, early?.facts));
  for (let step = 0; step < 10; step++) {
    const plan = choosePlan(image, facts);
    if (plan.kind === 'refuse') return {why: plan.why, reason: 'not-served'};
    if (plan.kind === 'fill') {
      if (!mayFill) return {why: plan.why, reason: 'just-uploaded'};
      const left = started + hold - performance.now();
      const filled = await heldFill(image, requester, world, {signal, hold: left});
      if (filled === undefined) {
        const why = `its fill takes longer than ${Math.round(hold / 1000)} s, and goes on`;
        return {why, reason: 'takes-too-long'};
      }
      facts.cached = filled.entry;
      continue;
    }
    if (plan.kind === 'clone') {
      if (isShown(image, plan.parent, facts.fsid))
        return {why: `${plan.why}: Nova finds it by itself`, reason: 'found-by-itself'};
      return {offer: {fsid: facts.fsid, ...plan.parent, raw: true}};
    }
    // Nova looks at little before it clones, and does not come back when that fails: what is offered must be there.
    const recent = early !== undefined && performance.now() - early.since < fresh; // Glance may have taken its time
    const seen = step === 0 && recent ? await looks.take(early.copy) : undefined;
    const state =
      seen !== undefined && sameSnapshot(seen.spec, plan.parent)
        ? seen.state
        : await looks.take(world.cell.disks.parentState(plan.parent, looks.signal));
    if (state.clonable) {
      world.usage.touch(image.id);
      return {offer: {fsid: facts.fsid, ...plan.parent, raw: true}};
    }
    await looks.take(retire(plan.entry, state.why, world, looks.signal, {reason: 'unclonable'}));
    facts.cached = undefined;
  }
  throw new CellarError('unavailable', `no copy of image ${image.id} stayed long enough to be offered`, {
    object: image.id,
  });
}

/** A time for all looks together. A fill is none of them: it goes on. */
function patience({id}: ImageRecord, ms: number, signal: AbortSignal) {
  const over = new AbortController();
  const timer = setTimeout(() => {
    const why = `whether the cell has a copy of image ${id} was not known within ${Math.round(ms / 1000)} s`;
    over.abort(new CellarError('timeout', why, {hint: '`cellar status` shows who does not answer', object: id}));
  }, ms);
  const both = AbortSignal.any([signal, over.signal]);
  return {
    signal: both,
    take: async <V>(look: V | Promise<V>): Promise<V> => abortable(Promise.resolve(look), both),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

/** Does the asker see it in Glance's own answer? Some locations only a service may list. */
const isShown = ({locations}: ImageRecord, parent: SnapshotSpec, fsid: string): boolean =>
  locations.some(({url}) => {
    const parsed = parseLocation(url);
    return parsed.ok && parsed.location.fsid === fsid && sameSnapshot(parsed.location, parent);
  });

/** undefined when `hold` ms have passed. From then on the fill has nobody whose leaving would end it. */
async function heldFill(
  image: ImageRecord,
  requester: Requester,
  world: World,
  {signal, hold}: {signal: AbortSignal; hold: number},
): Promise<Filled | undefined> {
  signal.throwIfAborted();
  const left = new AbortController();
  const held = new AbortController();
  const onGone = () => left.abort(signal.reason);
  signal.addEventListener('abort', onGone, {once: true});
  const filling = fill(image, requester, world, {signal: left.signal});
  filling.then(
    () => world.usage.touch(image.id),
    () => {}, // told by an event
  );
  try {
    return await Promise.race([filling, sleep(Math.max(0, hold), undefined, {signal: held.signal})]);
  } finally {
    held.abort();
    signal.removeEventListener('abort', onGone);
  }
}

/** For a log line. */
export const formatOffer = ({fsid, ...snapshot}: Offer): string => `${formatSnapshot(snapshot)} in ${fsid}`;
