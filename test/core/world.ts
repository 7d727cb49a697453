/** A world for the core: any cell, any Glance, short limits, and the events that were published. */
import {randomBytes, randomUUID} from 'node:crypto';
import {GlanceChecks} from '../../src/core/deleted.ts';
import {type Event, onlyCounted} from '../../src/core/events.ts';
import type {Filled} from '../../src/core/fill.ts';
import type {Cell, Converter, Images} from '../../src/core/ports.ts';
import type {DiskRequest, Progress} from '../../src/core/request.ts';
import {resolveDisk} from '../../src/core/resolve.ts';
import {SingleFlight, Turns} from '../../src/core/single-flight.ts';
import {UsageLog} from '../../src/core/usage.ts';
import type {Limits, World} from '../../src/core/world.ts';

export const limits: Limits = {
  fillInFlight: 4,
  fillTimeout: 30_000,
  waitTimeout: 30_000,
  waitPoll: 5,
  cleanUpTimeout: 10_000,
  intentStale: 300_000,
  tornSettle: 20,
  maxDisk: 1024 ** 4,
  cache: {maxBytes: 0, maxFill: 0, maxIdle: 0},
  evictGrace: 0,
  janitorInterval: 20,
  deletedCheckInterval: 0,
};

/** For cells that store raw images only. */
const unused: Converter = {
  spool: () => Promise.reject(new Error('nothing is converted here')),
  check: () => Promise.reject(new Error('nothing is converted here')),
  convert: () => Promise.reject(new Error('nothing is converted here')),
};

export type TestWorld = World & {events: Event[]};

export function makeWorld(
  cell: Cell,
  images: Images,
  {host = 'node1', run = randomUUID(), ...changes}: Partial<Limits> & {host?: string; run?: string} = {},
): TestWorld {
  const events: Event[] = [];
  return {
    self: {host, run},
    cell,
    images,
    converter: unused,
    limits: {...limits, cache: {...limits.cache}, ...changes},
    emit: event => events.push(event),
    turns: new Turns(),
    fills: new SingleFlight<Filled, Progress>(),
    usage: new UsageLog(),
    checks: new GlanceChecks(),
    events,
  };
}

export const never = new AbortController().signal;

export const resolve = (
  world: World,
  request: Partial<DiskRequest> & {image: string},
  {signal = never, ...rest}: {signal?: AbortSignal; onProgress?: (progress: Progress) => void} = {},
) => resolveDisk({pool: 'vms', name: 'disk', requester: {}, ...request}, world, {signal, ...rest});

const MiB = 1024 * 1024;

/** Bytes as an image has them: data, then a hole longer than an object, then data that ends off every boundary. */
export function imageBytes(tail = 1000): Buffer {
  return Buffer.concat([randomBytes(MiB), Buffer.alloc(9 * MiB), randomBytes(MiB + tail)]);
}

/** What happened, by type, as far as it is worth a line in a log; how a request for a disk ended is not: every test has some. */
export const types = ({events}: TestWorld): string[] =>
  events
    .map(({type}) => type)
    .filter(type => !onlyCounted.has(type) && type !== 'disk-ready' && type !== 'disk-failed');
