/** What the suites are run on: a cell, and ways around it to prepare it and to look at it. */
import {randomBytes, randomUUID} from 'node:crypto';
import type {TestFn} from 'ava';
import type {Entry} from '../../src/core/entry.ts';
import type {Retired} from '../../src/core/evict.ts';
import type {Cell, DiskSpec, Intent, SnapshotSpec} from '../../src/core/ports.ts';

export type Subject = {
  cell: Cell;
  /** The same cell as another agent sees it. */
  other: Cell;
  /** Pools that the agent may write disks to, and only read. */
  pools: {disks: string; images: string};
  /** An image with a protected snapshot. */
  put(spec: SnapshotSpec, data: Buffer): Promise<void>;
  /** An image without parent and snapshot, with data. */
  flat(disk: DiskSpec, data: Buffer): Promise<void>;
  snapshot(disk: DiskSpec, name: string): Promise<void>;
  /** Leaves of a disk that is not there what a clone that died early leaves: its name. */
  tear(disk: DiskSpec): Promise<void>;
  /** Leaves of a disk what a removal that died leaves: its data, in the pool's trash. */
  halfRemove(disk: DiskSpec): Promise<void>;
  /** The bytes a guest would read. */
  read(disk: DiskSpec): Promise<Buffer>;
};

/** Prepared once per file; the tests of a suite use names of their own. */
export type MakeSubject = () => Promise<Subject>;

export type Suite = (test: TestFn, name: string, makeSubject: MakeSubject) => void;

export const never = new AbortController().signal;

export const MiB = 1024 * 1024;

/** Data in the first and the last object, a hole between, and an end off every boundary. */
export const someBytes = (): Buffer => Buffer.concat([randomBytes(1000), Buffer.alloc(9 * MiB), randomBytes(1000)]);

export const freshName = (prefix: string): string => `${prefix}-${randomBytes(4).toString('hex')}`;

export const someEntry = (changes: Partial<Entry> = {}): Entry => {
  const image = changes.image ?? randomUUID();
  const generation = randomBytes(8).toString('hex');
  return {
    schema: 1,
    image,
    generation,
    rbdImage: `${image}.${generation}`,
    snapshot: 'snap',
    size: 1,
    stored: 1,
    ownReadable: true,
    source: {diskFormat: 'raw', size: 1, digests: {sha512: 'ß'}, verified: true},
    rawDigest: 'x',
    created: new Date().toISOString(),
    host: 'node1',
    ...changes,
  };
};

export const someRetired = ({image, rbdImage, stored}: Entry, changes: Partial<Retired> = {}): Retired => ({
  schema: 1,
  image,
  rbdImage,
  stored,
  since: new Date().toISOString(),
  why: 'a test',
  quarantined: false,
  ...changes,
});

export const someIntent = (changes: Partial<Intent> = {}): Intent => ({
  schema: 1,
  host: 'node1',
  run: randomUUID(),
  since: new Date().toISOString(),
  image: randomUUID(),
  parent: {pool: 'images', image: 'i', snapshot: 's'},
  ...changes,
});
