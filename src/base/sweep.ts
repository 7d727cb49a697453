import {unlink} from 'node:fs/promises';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {Entry} from '../core/entry.ts';
import {asCellarError, type ErrorKind} from '../core/errors.ts';
import {copyOf} from '../core/facts.ts';
import {whyNotNova} from '../core/offer.ts';
import type {Cell} from '../core/ports.ts';
import {ownerOf} from './directory.ts';
import {baseName, isCode, look, unfinishedNames} from './file.ts';
import {NovaLock, type TryLock} from './lock.ts';
import {overlaid} from './overlays.ts';
import {namedBy} from './processes.ts';
import {type TryLease, whileUnused} from './unused.ts';

export type BasePlace = {
  /** Nova's [DEFAULT] instances_path. */
  instancesPath: string;
  /** Nova's [image_cache] subdirectory_name. */
  subdirectory: string;
};

export type SweepOptions = BasePlace & {
  tryLock: TryLock;
  tryLease: TryLease;
  cell: Pick<Cell, 'index' | 'disks' | 'copies'>;
  /** ms that a file must have been left alone, and that Nova is kept from it before it goes. */
  settle: number;
  /** ms that the cell may take to answer a question: where it takes longer, Nova may be waiting for it too, and the file stays. */
  prompt: number;
};

/** What became of the base file of one image. `soon`: it was kept for a reason that passes. */
export type Outcome = {image: string; path: string} & (
  | {outcome: 'removed'; bytes: number}
  | {outcome: 'kept'; why: string; soon: boolean}
);

const inUse = 'it is in use: somebody has it open';
const slow = 'the cell is slow to answer';

/** The next question may take as long as this one did. */
const noAnswer: ReadonlySet<ErrorKind> = new Set(['timeout', 'unavailable', 'cancelled']);

type Candidate = {entry: Entry; name: string; path: string; bytes: number};

/**
 * Removes the local base files of images that the cell has a copy of: as long as such a file is there Nova imports it into
 * every new disk and never looks for something to clone.
 *
 * Nova looks for the file under a lock, lets the lock go, asks Ceph whether the disk exists and only then starts `rbd import`.
 * So the lock alone does not do. It is held for `settle` ms first: who looked before has opened the file by then, or has its
 * name in a command line, and the file stays; who comes later waits for the lock, finds no file, and clones. A Ceph that is slow
 * to answer could make Nova take longer than that: then the file stays for now. What Nova waits for may be in another pool, so
 * this is likely to be seen, and not certain. A spawn that needs nothing of a slow cell may need one of the locks: where it is known
 * before, none is taken; each ends with what is decided of its file; and after a slow answer, or none, nothing more is asked.
 *
 * Fails when something went wrong and nothing was removed; otherwise what went wrong with a file is why it was kept.
 */
export async function sweep(options: SweepOptions, signal: AbortSignal): Promise<Outcome[]> {
  const {cell, settle} = options;
  const outcomes: Outcome[] = [];
  const keep = ({entry, path}: Candidate, why: string, soon = false) =>
    void outcomes.push({image: entry.image, path, outcome: 'kept', why, soon});

  // Without its file Nova would only download again what it is not shown.
  const listed = await timed(() => cell.index.list(signal));
  const offered = listed.value.filter(({source}) => whyNotNova(source) === undefined);
  const candidates = await candidatesOf(offered, options, keep);
  if (listed.ms > options.prompt) {
    for (const candidate of candidates) keep(candidate, slow);
    return outcomes;
  }
  await using stack = new AsyncDisposableStack();
  const held: (Candidate & {lock: NovaLock})[] = [];
  for (const candidate of candidates) {
    const lock = await NovaLock.take(options.instancesPath, candidate.name, options.tryLock);
    if (lock === undefined) keep(candidate, 'Nova has it locked', true);
    else held.push({...candidate, lock: stack.use(lock)});
  }
  if (held.length === 0) return outcomes;
  await sleep(settle, undefined, {signal});

  const still = await candidatesOf(
    held.map(({entry}) => entry),
    options,
    keep,
  );
  const isStill = ({name}: Candidate) => still.some(one => one.name === name);
  for (const {lock} of held.filter(one => !isStill(one))) await lock[Symbol.asyncDispose]();
  const failures: unknown[] = [];
  let rest: {why: string; soon: boolean} | undefined;
  for (const candidate of held.filter(isStill)) {
    await using _lock = candidate.lock;
    if (rest !== undefined) {
      keep(candidate, rest.why, rest.soon);
      continue;
    }
    try {
      const looked = await timed(() => whyNotNow(candidate, options, signal));
      if (looked.ms > options.prompt) rest = {why: slow, soon: false};
      if (looked.value !== undefined) keep(candidate, looked.value);
      else if (rest !== undefined) keep(candidate, rest.why, rest.soon);
      else if (await removeUnused(candidate, options)) {
        const {entry, path, bytes} = candidate;
        outcomes.push({image: entry.image, path, outcome: 'removed', bytes});
      } else keep(candidate, inUse);
    } catch (error) {
      if (isCode(error, 'ENOENT')) continue; // somebody else has removed it
      failures.push(error);
      const {kind, message} = asCellarError(error);
      keep(candidate, message, true);
      if (noAnswer.has(kind)) rest = {why: message, soon: true};
    }
  }
  // What was removed must be told; what went wrong comes up again in the next round.
  if (failures.length > 0 && !outcomes.some(({outcome}) => outcome === 'removed')) throw failures[0];
  return outcomes;
}

/** False, and nothing done, when somebody has it open. */
const removeUnused = async ({path}: Candidate, {tryLease}: SweepOptions): Promise<boolean> =>
  (await whileUnused(path, tryLease, () => unlink(path).then(() => true))) ?? false;

async function timed<V>(work: () => Promise<V>): Promise<{value: V; ms: number}> {
  const started = performance.now();
  return {value: await work(), ms: performance.now() - started};
}

/** Those whose file is there, has settled, and is used by no process and no disk. */
async function candidatesOf(
  entries: Entry[],
  options: SweepOptions,
  keep: (candidate: Candidate, why: string, soon?: boolean) => void,
): Promise<Candidate[]> {
  const {instancesPath, subdirectory, settle} = options;
  const directory = join(instancesPath, subdirectory);
  const owner = await ownerOf(directory);
  if (owner === undefined) return []; // Nova makes it at its first download
  const there: Candidate[] = [];
  for (const entry of entries) {
    const name = baseName(entry.image);
    const seen = await look(directory, name, {owner, settle});
    const candidate = {entry, name, path: join(directory, name), bytes: seen.kind === 'removable' ? seen.bytes : 0};
    if (seen.kind === 'kept') keep(candidate, seen.why, seen.soon);
    if (seen.kind === 'removable') there.push(candidate);
  }
  if (there.length === 0) return [];
  const overlays = await overlaid(instancesPath, new Set([subdirectory, 'locks']));
  const named = await namedBy(there.map(({name}) => name));
  const unused: Candidate[] = [];
  for (const candidate of there) {
    const disk = overlays.get(candidate.name);
    const process = named.get(candidate.name);
    if (disk !== undefined) keep(candidate, `${disk} is an overlay of it`);
    else if (process !== undefined) keep(candidate, `process ${process} uses it`);
    else if (await isOpen(candidate, options)) keep(candidate, inUse);
    else unused.push(candidate);
  }
  return unused;
}

/** The file, or an unfinished one of long ago: somebody may be at it still. */
async function isOpen({path}: Candidate, {tryLease}: SweepOptions): Promise<boolean> {
  for (const one of [path, ...unfinishedNames(path)])
    if ((await whileUnused(one, tryLease, async () => true)) === undefined) return true;
  return false;
}

/** The cell's copy must be what Nova will be given, now. */
async function whyNotNow(
  {entry, lock}: Candidate & {lock: NovaLock},
  {cell}: SweepOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const current = await cell.index.get(entry.image, signal);
  if (current === undefined) return 'the cell has no copy of it any more';
  const state = await cell.disks.parentState(copyOf(cell.copies.pool, current), signal);
  if (!state.clonable) return `the cell's copy cannot be cloned: ${state.why}`;
  return (await lock.stands()) ? undefined : 'Nova has removed its lock file';
}
