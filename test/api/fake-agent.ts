/** An agent that answers from a script and remembers what it was asked. */
import type {Agent, DiskView, Status} from '../../src/api/agent.ts';
import type {Copies, Copy} from '../../src/core/cache.ts';
import {CellarError} from '../../src/core/errors.ts';
import type {Retired} from '../../src/core/evict.ts';
import type {DiskRequest, DiskResult} from '../../src/core/request.ts';

export const image = '5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01';
/** Unlike anything else that is printed, so that a search for it finds only leaks. */
export const secret = 'gAAAAABtoken-that-must-never-be-seen-0123456789';
export const requestId = 'req-0f0e0d0c-0b0a-4908-8706-050403020100';

export const entry: Copy = {
  schema: 1,
  image,
  generation: '01JD',
  rbdImage: `${image}.01JD`,
  snapshot: 'snap',
  size: 21_474_836_480,
  stored: 1_288_490_189,
  ownReadable: true,
  source: {diskFormat: 'qcow2', size: 612_368_384, digests: {sha512: 'ab'.repeat(64)}, verified: true},
  rawDigest: 'cd'.repeat(64),
  created: '2026-11-22T07:00:00.000Z',
  host: 'compute-1',
  pinned: true,
  lastUse: '2026-11-22T08:00:00.000Z',
};

export const retired: Retired = {
  schema: 1,
  image,
  rbdImage: `${image}.00OLD`,
  stored: 1_073_741_824,
  since: '2026-11-22T07:00:00.000Z',
  why: 'a newer copy was published',
  quarantined: false,
};

/** What `listImages` answers. */
export const kept: Copies = {copies: [entry], retired: [retired], pins: [image]};

export const diskResult = ({pool, name, size}: DiskRequest): DiskResult => ({
  outcome: 'cloned-from-cache',
  pool,
  name,
  size: size ?? entry.size,
  parent: {pool: 'cellar', image: entry.rbdImage, snapshot: 'snap'},
  glanceBytes: 0,
  timings: {total: 153, glance: 41, clone: 102},
  roads: [
    {road: 'location', taken: false, why: 'its locations are in another cluster'},
    {road: 'cached', taken: true, why: 'the cell has a verified copy'},
  ],
});

export const diskView: DiskView = {
  pool: 'vms',
  name: 'one_disk',
  state: 'whole',
  size: entry.size,
  parent: {pool: 'cellar', image: entry.rbdImage, snapshot: 'snap'},
  registered: true,
  empty: true,
};

export const status: Status = {
  version: '9.9.9',
  host: 'compute-1',
  cell: 'cell1',
  since: '2026-11-22T06:00:00.000Z',
  ceph: {state: 'up', fsid: '7c1d0b3e-4f6a-4f58-9d1c-3f1f4f0e8d11', user: 'cellar', pool: 'cellar'},
  glance: {state: 'up', url: 'http://glance.example:9292'},
  keystone: {state: 'unknown', url: null},
  registration: {
    state: 'mapped',
    node: {name: 'compute-1.example', uuid: 'aaaaaaaa-0000-4000-8000-000000000001'},
    cell: {name: 'cell1', uuid: 'ce110001-0000-4000-8000-000000000001'},
  },
  fills: [{image, received: 1_048_576, size: 612_368_384}],
  cached: {images: 1, bytes: entry.size},
  eventLoop: {p99Ms: 1.5, maxMs: 12},
};

export type Seen = {method: keyof Agent; args: unknown[]; signal: AbortSignal};

/** `script` replaces single methods; every call is in `seen`. */
export function fakeAgent(script: Partial<Agent> = {}): Agent & {seen: Seen[]} {
  const seen: Seen[] = [];
  const plain: Agent = {
    createDisk: async request => diskResult(request),
    showDisk: async disk => ({...diskView, ...disk}),
    deleteDisk: async () => ({deleted: true}),
    listImages: async () => kept,
    showImage: async id => {
      if (id === entry.image) return entry;
      throw new CellarError('not-found', `the cell has no copy of ${id}`, {object: id});
    },
    prefetchImage: async id => ({image: id, outcome: 'filled', size: entry.size, glanceBytes: entry.source.size}),
    verifyImage: async id => ({image: id, rbdImage: entry.rbdImage, size: entry.size, intact: true}),
    pinImage: async id => ({image: id, pinned: true, cached: id === image}),
    unpinImage: async id => ({image: id, pinned: false, cached: id === image}),
    evictImage: async id => ({image: id, evicted: id === image}),
    status: async () => status,
    fills: async () => [
      {image, generation: '01JD', state: 'filling', host: 'compute-2', received: 314_572_800, size: 612_368_384},
    ],
    metrics: async () => ({type: 'text/plain; version=0.0.4; charset=utf-8', text: 'cellar_fake 1\n'}),
  };
  const agent = {...plain, ...script};
  const watch = <Name extends keyof Agent>(method: Name) =>
    ((...args: unknown[]) => {
      const last = args.at(-1) as AbortSignal | {signal: AbortSignal};
      seen.push({method, args: args.slice(0, -1), signal: last instanceof AbortSignal ? last : last.signal});
      return (agent[method] as (...given: unknown[]) => unknown)(...args);
    }) as Agent[Name];
  return {
    seen,
    createDisk: watch('createDisk'),
    showDisk: watch('showDisk'),
    deleteDisk: watch('deleteDisk'),
    listImages: watch('listImages'),
    showImage: watch('showImage'),
    prefetchImage: watch('prefetchImage'),
    verifyImage: watch('verifyImage'),
    pinImage: watch('pinImage'),
    unpinImage: watch('unpinImage'),
    evictImage: watch('evictImage'),
    status: watch('status'),
    fills: watch('fills'),
    metrics: watch('metrics'),
  };
}

/** Never settles by itself: rejects when its signal aborts, as an agent does. */
export const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), {once: true});
  });
