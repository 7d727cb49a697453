import type {GlanceChecks} from './deleted.ts';
import type {Emit} from './events.ts';
import type {CacheLimits} from './evict.ts';
import type {FillFlights} from './fill.ts';
import type {Cell, Converter, Images} from './ports.ts';
import type {Turns} from './single-flight.ts';
import type {UsageLog} from './usage.ts';

/** Bounds of the core's own making; every cluster and HTTP call has its own deadline besides. Milliseconds, unless said. */
export type Limits = {
  /** Writes in flight of one fill (a number): with the object size, the bound on its memory. */
  fillInFlight: number;
  fillTimeout: number;
  /** How long a request waits for a fill that another host runs. */
  waitTimeout: number;
  /** Between two looks at somebody else's fill. */
  waitPoll: number;
  /** How long cleaning up after a failure may take. */
  cleanUpTimeout: number;
  /** After this another host's intent is taken for dead. */
  intentStale: number;
  /** How long a disk without a header must stay so before it is taken for torn and not for being made by somebody else. */
  tornSettle: number;
  /** Bytes of the largest disk that an image may have. */
  maxDisk: number;
  /** Bounds on the cell's cache. */
  cache: CacheLimits;
  /** How long a retired copy stays at least: a clone that was planned before may still be under way. */
  evictGrace: number;
  /** Between two rounds of the janitor. */
  janitorInterval: number;
  /** Between two questions to Glance whether it still has an image. */
  deletedCheckInterval: number;
};

/** Which agent this is: `run` is new at every start. */
export type Self = {host: string; run: string};

/** All that the core acts on. Put together in one place, src/daemon/compose. */
export type World = {
  self: Self;
  cell: Cell;
  images: Images;
  converter: Converter;
  limits: Limits;
  emit: Emit;
  /** Requests for one disk take turns in a process; between processes the intent decides. */
  turns: Turns;
  /** Fills running in this process, by image. */
  fills: FillFlights;
  /** Last uses that are not written down yet. */
  usage: UsageLog;
  /** When Glance was asked about the images of the cache. */
  checks: GlanceChecks;
};
