import type {Entry} from './entry.ts';
import {type ServedFormat, servedFormats} from './format/index.ts';
import type {ImageRecord} from './image.ts';
import {formatSnapshot, parseLocation} from './location.ts';
import type {ParentState, SnapshotSpec} from './ports.ts';
import type {Road} from './request.ts';

/** Everything the decision rests on, gathered beforehand. `tried` holds roads that were taken in vain, by `roadKey`. */
export type Facts = {
  fsid: string;
  /** In Glance's order; `state` only for those in our own cluster. */
  locations: {url: string; state?: ParentState}[];
  cached: Entry | undefined;
  cachePool: string;
  /** Bytes asked for, if any. */
  size: number | undefined;
  tried: ReadonlyMap<string, string>;
};

export type Plan = {roads: Road[]} & (
  | {kind: 'clone'; parent: SnapshotSpec; why: string}
  | {kind: 'clone-cached'; parent: SnapshotSpec; entry: Entry; why: string}
  | {kind: 'fill'; why: string}
  | {kind: 'refuse'; why: string}
);

/** The one decision of cellar (docs/architecture.md): where this image's disk is cloned from. Pure: the same facts, the same plan. */
export function choosePlan(image: ImageRecord, facts: Facts): Plan {
  const refusal = whyNever(image);
  if (refusal !== undefined) return {kind: 'refuse', why: refusal, roads: []};
  const roads: Road[] = [];

  for (const {url, state} of facts.locations) {
    const verdict = judgeLocation(image, url, state, facts);
    if (verdict.parent === undefined) {
      roads.push({road: 'location', taken: false, why: verdict.why});
      continue;
    }
    const small = whyTooSmall(verdict.size, facts.size);
    if (small !== undefined) return {kind: 'refuse', why: small, roads};
    roads.push({road: 'location', taken: true, why: verdict.why});
    return {kind: 'clone', parent: verdict.parent, why: verdict.why, roads};
  }
  if (facts.locations.length === 0) roads.push({road: 'location', taken: false, why: 'Glance shows no location'});
  const uncacheable = whyNotCached(image);
  if (uncacheable !== undefined) return {kind: 'refuse', why: uncacheable, roads};

  const cached = judgeCached(image, facts);
  roads.push({road: 'cached', taken: cached.parent !== undefined, why: cached.why});
  const small = whyTooSmall(cached.parent === undefined ? diskSize(image) : cached.entry.size, facts.size);
  if (small !== undefined) return {kind: 'refuse', why: small, roads: roads.map(road => ({...road, taken: false}))};
  if (cached.parent !== undefined) {
    return {kind: 'clone-cached', parent: cached.parent, entry: cached.entry, why: cached.why, roads};
  }
  const why = 'the cell has no copy yet';
  roads.push({road: 'fill', taken: true, why});
  return {kind: 'fill', why, roads};
}

/** How `Facts.tried` names a parent. */
export const roadKey = (parent: SnapshotSpec): string => formatSnapshot(parent);

/** Why this image can never become a disk, whatever is cached; undefined when it can. */
export function whyNever(image: ImageRecord): string | undefined {
  if (image.status !== 'active') return `its status is ${image.status}, not active`;
  if (!servedFormats.includes(image.diskFormat as ServedFormat))
    return `its disk_format is ${image.diskFormat ?? 'not set'}; served are ${servedFormats.join(', ')}`;
  if (image.containerFormat !== undefined && image.containerFormat !== 'bare') {
    return `its container_format is ${image.containerFormat}, not bare`;
  }
  if (image.size === undefined || image.size === 0) return 'Glance says it has no data';
  return undefined;
}

/**
 * Why the cell can keep no copy of this image, whatever its format; undefined when it can. Glance lets its users choose ids, also
 * in upper case, and whether it finds them by another case is its database's affair: copies are known by the one form only.
 */
export const whyNotCached = ({id}: ImageRecord): string | undefined =>
  id === id.toLowerCase() ? undefined : `its id is not in lower case, and the cell's cache knows no others: ${id}`;

/** As far as Glance knows: the file of another format than raw and ISO says nothing about the disk in it. */
const diskSize = ({diskFormat, size, virtualSize}: ImageRecord): number | undefined =>
  diskFormat === 'raw' || diskFormat === 'iso' ? size : virtualSize;

const whyTooSmall = (imageSize: number | undefined, asked: number | undefined): string | undefined =>
  asked !== undefined && imageSize !== undefined && asked < imageSize
    ? `its disk is ${imageSize} bytes, ${asked} were asked for: a disk is never smaller than its image`
    : undefined;

type Verdict = {parent: SnapshotSpec; size: number; why: string} | {parent?: undefined; why: string};

function judgeLocation({diskFormat}: ImageRecord, url: string, state: ParentState | undefined, facts: Facts): Verdict {
  const parsed = parseLocation(url);
  if (!parsed.ok) return {why: `${redact(url)}: ${parsed.why}`};
  const {fsid, ...parent} = parsed.location;
  const name = formatSnapshot(parent);
  if (fsid !== facts.fsid) return {why: `${name} is in the cluster ${fsid}, this cell's is ${facts.fsid}`};
  if (diskFormat !== 'raw') return {why: `${name} holds the file, which is ${diskFormat}, and not its disk`};
  const tried = facts.tried.get(roadKey(parent));
  if (tried !== undefined) return {why: `${name}: ${tried}`};
  if (state === undefined) return {why: `${name} was not looked at`};
  if (!state.clonable) return {why: `${name}: ${state.why}`};
  return {parent, size: state.size, why: `${name} is in this cell's cluster`};
}

function judgeCached(
  image: ImageRecord,
  {cached, cachePool, tried}: Facts,
): {entry: Entry; parent: SnapshotSpec; why: string} | {parent?: undefined; why: string} {
  if (cached === undefined) return {why: 'the index has no entry'};
  const parent = {pool: cachePool, image: cached.rbdImage, snapshot: cached.snapshot};
  const failed = tried.get(roadKey(parent));
  if (failed !== undefined) return {why: `${formatSnapshot(parent)}: ${failed}`};
  const different = whyDifferent(image, cached);
  if (different !== undefined) return {why: different};
  return {entry: cached, parent, why: `the index names ${formatSnapshot(parent)}`};
}

/** Why an entry is not of the file Glance has now; undefined when nothing speaks against it. A null hash in Glance proves nothing. */
export function whyDifferent(image: ImageRecord, entry: Entry): string | undefined {
  const {digests, size, diskFormat} = entry.source;
  if (image.size !== undefined && image.size !== size)
    return `the copy was made of ${size} bytes, Glance has ${image.size}`;
  if (image.diskFormat !== diskFormat) return `the copy was made of ${diskFormat}, Glance says ${image.diskFormat}`;
  const pairs: [string | undefined, string | undefined][] = [
    [image.osHashAlgo, image.osHashValue],
    ['md5', image.checksum],
  ];
  for (const [algo, value] of pairs) {
    const ours = algo === undefined ? undefined : digests[algo];
    if (ours !== undefined && value !== undefined && ours !== value) return `its ${algo} is not the one Glance has now`;
  }
  return undefined;
}

/** A location of another scheme may carry credentials (swift+config, http): only its scheme is shown. */
const redact = (url: string): string =>
  url.startsWith('rbd://') ? url : `${/^[a-z][a-z0-9+.-]*(?=:\/\/)/i.exec(url)?.[0] ?? 'unknown'}: location`;
