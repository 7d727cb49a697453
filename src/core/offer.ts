import {setTimeout as sleep} from 'node:timers/promises';
import {asCellarError, CellarError} from './errors.ts';
import {gatherFacts} from './facts.ts';
import {type Filled, fill} from './fill.ts';
import type {ImageRecord, Requester} from './image.ts';
import {formatSnapshot, parseLocation, type RbdLocation, sameSnapshot} from './location.ts';
import {choosePlan, whyNever} from './plan.ts';
import type {SnapshotSpec} from './ports.ts';
import {retire} from './retire.ts';
import type {World} from './world.ts';

/** A snapshot in our cluster that was opened a moment ago and can be cloned. It holds the disk, and not the file. */
export type Offer = RbdLocation & {raw: true};

/** `why` in words for an operator: why there is nothing to offer, which is never an error. */
export type Offered = {offer: Offer} | {offer?: undefined; why: string};

export type OfferOptions = {
  /** Aborts when the asker goes away. */
  signal: AbortSignal;
  /** ms that the asker waits for a fill. */
  hold: number;
  /** Without it only what is there is offered. */
  mayFill?: boolean;
};

/**
 * What somebody who clones by himself, as Nova does, can clone instead of downloading the image, whose record Glance has just
 * given for his token. Without a copy one is made. When that takes longer than `hold` there is nothing to offer, and the fill
 * goes on for the next one who asks; when the asker goes away before that, a fill that only he wanted ends. Never rejects: a
 * failure is an event, and nothing to offer.
 */
export async function offerCopy(
  image: ImageRecord,
  requester: Requester,
  world: World,
  options: OfferOptions,
): Promise<Offered> {
  const never = whyNever(image) ?? whyNotNova(image);
  if (never !== undefined) return {why: never};
  try {
    return await findOffer(image, requester, world, options);
  } catch (thrown) {
    const error = asCellarError(thrown);
    if (!options.signal.aborted) world.emit({type: 'offer-failed', image: image.id, error});
    return {why: error.message};
  }
}

/**
 * Nova clones only what is said to be `raw`, and where it rebuilds or rescues an instance it takes the kind of the guest's
 * device (disk or CD-ROM) from this very answer. Said to be raw, an ISO would come up as a disk.
 */
export const whyNotNova = ({diskFormat}: {diskFormat: string | undefined}): string | undefined =>
  diskFormat === 'iso' ? 'its disk_format is iso, which Nova must be told to make it a CD-ROM' : undefined;

async function findOffer(
  image: ImageRecord,
  requester: Requester,
  world: World,
  {signal, hold, mayFill = true}: OfferOptions,
): Promise<Offered> {
  const facts = await gatherFacts(image, undefined, world, signal);
  const until = performance.now() + hold;
  for (let step = 0; step < 10; step++) {
    const plan = choosePlan(image, facts);
    if (plan.kind === 'refuse') return {why: plan.why};
    if (plan.kind === 'fill') {
      if (!mayFill) return {why: plan.why};
      const filled = await heldFill(image, requester, world, {signal, hold: until - performance.now()});
      if (filled === undefined) return {why: `its fill takes longer than ${Math.round(hold / 1000)} s, and goes on`};
      facts.cached = filled.entry;
      continue;
    }
    if (plan.kind === 'clone') {
      if (isShown(image, plan.parent, facts.fsid)) return {why: `${plan.why}: Nova finds it by itself`};
      return {offer: {fsid: facts.fsid, ...plan.parent, raw: true}};
    }
    // Nova looks at little before it clones, and does not come back when that fails: what is offered must be there.
    const state = await world.cell.disks.parentState(plan.parent, signal);
    if (state.clonable) {
      world.usage.touch(image.id);
      return {offer: {fsid: facts.fsid, ...plan.parent, raw: true}};
    }
    await retire(plan.entry, state.why, world, signal);
    facts.cached = undefined;
  }
  throw new CellarError('unavailable', `no copy of image ${image.id} stayed long enough to be offered`, {
    object: image.id,
  });
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
