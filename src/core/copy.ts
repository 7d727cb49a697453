import {formatDiskDigest, rawDigestAlgo, verifyDigests, wantedDigests} from './digest.ts';
import {Inspector, judgeFormat, type Verdict} from './format/index.ts';
import type {ImageRecord} from './image.ts';
import type {CopyWriter, Download, SnapshotSpec, Spooled} from './ports.ts';
import {type ReceiveOptions, receive, transfer, unacceptable} from './transfer.ts';
import type {World} from './world.ts';

/** A sealed copy that nobody knows of yet, and what is known of its bytes. */
export type Sealed = {
  snapshot: SnapshotSpec;
  /** Bytes of the disk. */
  size: number;
  /** Bytes of it that are not holes. */
  stored: number;
  digests: Record<string, string>;
  verified: boolean;
  rawDigest: string;
};

export type CopyOptions = {name: string; signal: AbortSignal; onReceived: (bytes: number) => void};

const asIs = new Set<string | undefined>(['raw', 'iso']);

/** Is the file the disk, byte for byte? Other formats are converted. */
export const isStoredAsIs = ({diskFormat}: ImageRecord): boolean => asIs.has(diskFormat);

/**
 * Makes a sealed copy of the image under this name. Whatever Glance says the file is, it is looked at while it streams past, and
 * refused if it is anything else (docs/formats.md has the rules). Raw and ISO are stored as they come; other formats are
 * spooled, shown to QEMU, and converted. The caller removes the copy when this fails.
 */
export async function makeCopy(
  image: ImageRecord,
  download: Download,
  world: World,
  options: CopyOptions,
): Promise<Sealed> {
  return isStoredAsIs(image)
    ? storeAsIs(image, download, world, options)
    : convertCopy(image, download, world, options);
}

async function storeAsIs(
  image: ImageRecord,
  download: Download,
  {cell, limits}: World,
  {name, signal, onReceived}: CopyOptions,
): Promise<Sealed> {
  const size = image.size ?? 0;
  refuseLarge(image, size, limits.maxDisk);
  const writer = await cell.copies.create(name, size, signal, {
    digests: wantedDigests(image),
    inFlight: limits.fillInFlight,
  });
  return sealing(writer, async () => {
    const inspector = new Inspector();
    const {written, digests, verified} = await transfer(image, download, writer, {size, signal, onReceived, inspector});
    judge(image, inspector);
    return {
      snapshot: await writer.seal(signal),
      size,
      stored: written,
      digests,
      verified,
      rawDigest: digests[rawDigestAlgo] ?? '',
    };
  });
}

/**
 * The disk is written by qemu-img, under limits, and read back when it is sealed: its digest is of what is really there. Not
 * earlier: qemu-img writes in any order, and what was read by then might change.
 */
async function convertCopy(
  image: ImageRecord,
  download: Download,
  {cell, converter, limits}: World,
  {name, signal, onReceived}: CopyOptions,
): Promise<Sealed> {
  const size = image.size ?? 0;
  await using file = await converter.spool(size, wantedDigests(image));
  const inspector = new Inspector();
  const onHead = (virtualSize = 0) => refuseLarge(image, virtualSize, limits.maxDisk);
  const {digests, verified} = await spool(image, download, file, {size, signal, onReceived, inspector, onHead});
  const verdict = judge(image, inspector);
  if (verdict.store !== 'convert')
    throw unacceptable(image, `its disk_format is ${image.diskFormat}, which is not converted`);
  refuseLarge(image, verdict.virtualSize, limits.maxDisk);
  const opinion = await converter.check(file.path, verdict, signal);
  if (!opinion.ok) throw unacceptable(image, opinion.why);
  const writer = await cell.copies.create(name, verdict.virtualSize, signal);
  // awaited here: the file goes when this function is left
  return await sealing(writer, async () => {
    await converter.convert(file.path, verdict.qemu, name, signal);
    const snapshot = await writer.seal(signal);
    const {digest, stored} = await cell.copies.digest(name, snapshot.snapshot, signal, {form: 'pieces'});
    const rawDigest = formatDiskDigest('pieces', digest);
    return {snapshot, size: verdict.virtualSize, stored, digests, verified, rawDigest};
  });
}

async function sealing<V>(writer: CopyWriter, work: () => Promise<V>): Promise<V> {
  try {
    return await work();
  } finally {
    await writer.abandon();
  }
}

/** Chunks that may wait for the spool: 8 MiB as they are cut at most. */
const chunksAhead = 32;

/** To the spool: hashed and inspected on the way, refused as soon as its head says enough. Fails with `corrupt` like `transfer`. */
async function spool(
  image: ImageRecord,
  download: Download,
  file: Spooled,
  options: ReceiveOptions,
): Promise<{digests: Record<string, string>; verified: boolean}> {
  const writes: Promise<void>[] = []; // they settle in order
  for await (const chunk of receive(image, download, options)) {
    const write = file.write(chunk).then(() => download.recycle?.(chunk));
    write.catch(() => {}); // thrown below, or no longer asked for
    if (writes.push(write) === chunksAhead) await Promise.all(writes.splice(0, chunksAhead / 2));
  }
  await Promise.all(writes);
  const digests = await file.finish();
  return {digests, verified: verifyDigests(image, digests)};
}

function judge(image: ImageRecord, inspector: Inspector): Extract<Verdict, {ok: true}> {
  const verdict = judgeFormat(image.diskFormat ?? '', inspector.finish());
  if (!verdict.ok) throw unacceptable(image, verdict.why);
  return verdict;
}

/** A few bytes can declare a disk of any size: nothing is made of more than is allowed. */
function refuseLarge(image: ImageRecord, size: number, maxDisk: number): void {
  if (size > maxDisk)
    throw unacceptable(
      image,
      `its disk is ${size} bytes; at most ${maxDisk} are allowed ([image_store] max_disk_size)`,
    );
}
