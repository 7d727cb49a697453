import type {CellarError, ErrorKind} from './errors.ts';
import type {Outcome} from './request.ts';

/** Why a copy was taken out of the index: a closed set, which metrics count by. */
export const retireReasons = [
  'idle',
  'max_size',
  'max_fill',
  'by-hand',
  'deleted-image',
  'unclonable',
  'damaged',
] as const;

export type RetireReason = (typeof retireReasons)[number];

/** The steps of the janitor's rounds. */
export const janitorSteps = [
  'writing usage',
  'electing',
  'recovery',
  'leases',
  'deleted images',
  'limits',
  'retired copies',
  'usage',
  'making room',
] as const;

export type JanitorStep = (typeof janitorSteps)[number];

/** Why nothing is offered to somebody who clones by himself. */
export const notOffered = [
  'not-served',
  'iso',
  'found-by-itself',
  'takes-too-long',
  'just-uploaded',
  'as-before',
  'not-for-rbd',
  'failed',
  'left',
  'stopping',
  'other',
] as const;

export type NotOffered = (typeof notOffered)[number];

/** The cell's copies as one look at the index found them. Bytes, replicas not counted. */
export type CacheSurvey = {
  cached: {copies: number; bytes: number};
  pinned: number;
  retired: {copies: number; bytes: number};
  quarantined: {copies: number; bytes: number};
  room: {used: number; available: number} | undefined;
};

/** What happened, as values: the core publishes; src/daemon turns them into log lines and metrics, and the API into progress. */
export type Event =
  | {type: 'disk-ready'; pool: string; name: string; image: string; outcome: Outcome; ms: number}
  | {type: 'disk-failed'; pool: string; name: string; image: string; kind: ErrorKind; error: CellarError}
  | {type: 'fill-started'; image: string; generation: string; size: number}
  | {type: 'fill-progress'; image: string; received: number; size: number}
  | {type: 'fill-published'; image: string; generation: string; size: number; disk: number; written: number; ms: number}
  | {type: 'fill-failed'; image: string; generation: string; error: CellarError; ms: number}
  | {type: 'fill-waiting'; image: string; holder: string}
  | {type: 'fill-waited'; image: string; outcome: 'copy' | 'turn' | 'failed'; ms: number}
  | {type: 'copy-removed'; name: string; why: string}
  | {type: 'copy-kept'; name: string; error: Error}
  | {type: 'disk-kept'; pool: string; name: string; error: Error}
  | {type: 'disk-repaired'; pool: string; name: string; why: string}
  | {type: 'copy-retired'; image: string; name: string; why: string; reason: RetireReason; quarantined: boolean}
  | {type: 'copy-verified'; image: string; name: string; result: 'intact' | 'damaged' | 'failed'}
  | ({type: 'cache-surveyed'} & CacheSurvey)
  | {type: 'janitor-done'}
  | {type: 'janitor-failed'; step: JanitorStep; error: Error}
  | {type: 'base-file-removed'; image: string; path: string; bytes: number}
  | {type: 'base-file-kept'; image: string; path: string; why: string}
  | {type: 'base-files-failed'; error: Error}
  | {type: 'lease-lost'; name: string}
  | {type: 'offer-failed'; image: string; error: Error};

export type Emit = (event: Event) => void;

/** What is told only to be counted or shown, and comes too often for a log. */
export const onlyCounted: ReadonlySet<Event['type']> = new Set([
  'fill-progress',
  'fill-waited',
  'cache-surveyed',
  'janitor-done',
]);
