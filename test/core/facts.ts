/** Values that the tests of the core share. */
import type {Entry} from '../../src/core/entry.ts';
import type {ImageRecord} from '../../src/core/image.ts';
import type {Facts} from '../../src/core/plan.ts';
import type {Intent, SnapshotSpec} from '../../src/core/ports.ts';

export const fsid = '6f9e4a0c-6b0d-4a3e-9a55-0f2b0c7d1e11';
export const imageId = '11111111-2222-3333-4444-555555555555';
export const MiB = 1024 * 1024;

export const record = (changes: Partial<ImageRecord> = {}): ImageRecord => ({
  id: imageId,
  name: 'an image',
  status: 'active',
  diskFormat: 'raw',
  containerFormat: 'bare',
  size: 8 * MiB,
  virtualSize: undefined,
  checksum: 'c1',
  osHashAlgo: 'sha512',
  osHashValue: 'h1',
  minDisk: 0,
  locations: [],
  ...changes,
});

export const entry = (changes: Partial<Entry> = {}): Entry => ({
  schema: 1,
  image: imageId,
  generation: '0123456789abcdef',
  rbdImage: `${imageId}.0123456789abcdef`,
  snapshot: 'snap',
  size: 8 * MiB,
  stored: 8 * MiB,
  ownReadable: true,
  source: {diskFormat: 'raw', size: 8 * MiB, digests: {sha512: 'h1'}, verified: true},
  rawDigest: 'h1',
  created: '2026-01-01T00:00:00.000Z',
  host: 'node1',
  ...changes,
});

export const facts = (changes: Partial<Facts> = {}): Facts => ({
  fsid,
  locations: [],
  cached: undefined,
  cachePool: 'cellar',
  size: undefined,
  tried: new Map(),
  ...changes,
});

export const parent: SnapshotSpec = {pool: 'images', image: imageId, snapshot: 'snap'};

export const intent = (changes: Partial<Intent> = {}): Intent => ({
  schema: 1,
  host: 'node1',
  run: 'dead',
  since: '2026-01-01T00:00:00.000Z',
  image: imageId,
  parent,
  ...changes,
});
