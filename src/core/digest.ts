import {getHashes} from 'node:crypto';
import {CellarError} from './errors.ts';
import type {ImageRecord} from './image.ts';

/** Computed of every file. A disk that is stored as it comes is known by it. */
export const rawDigestAlgo = 'sha512';

/**
 * How the digest of a disk is made of its bytes.
 * - whole: their sha512
 * - pieces: the sha512 of the sha512s, 64 bytes each, of every 4 MiB of them in order; the last piece may be shorter. It is what
 *   a converted disk is known by: its bytes are read only to be hashed, by several threads, and its holes, which are most of
 *   many a disk, are not read at all.
 */
export type DiskDigestForm = 'whole' | 'pieces';

/** Bytes of one piece. */
export const digestPiece = 4 * 1024 * 1024;

const piecesMark = 'sha512-4MiB:';

/** An entry's `rawDigest`: hex alone is of the whole. */
export const formatDiskDigest = (form: DiskDigestForm, digest: string): string =>
  form === 'pieces' ? `${piecesMark}${digest}` : digest;

/** How a `rawDigest` was made. Fails with `internal` on one of a form that is not known here: nothing can be held against it. */
export function formOfDiskDigest(rawDigest: string): DiskDigestForm {
  const pieces = rawDigest.startsWith(piecesMark);
  if (/^[0-9a-f]{128}$/.test(pieces ? rawDigest.slice(piecesMark.length) : rawDigest))
    return pieces ? 'pieces' : 'whole';
  throw new CellarError(
    'internal',
    `the digest of the copy, ${rawDigest.slice(0, 40)}…, is of a form that this agent does not know`,
    {
      hint: 'a newer agent of the cell made it: upgrade this one',
    },
  );
}

/** What to compute while an image streams past: sha512 always, and what its bytes will be held against. */
export function wantedDigests(image: ImageRecord): string[] {
  const expected = expectedDigest(image);
  return [...new Set([rawDigestAlgo, ...(expected === undefined ? [] : [expected.algo])])];
}

/** Holds the digests of what was received against Glance's. False when there is none; fails with `corrupt` when it differs. */
export function verifyDigests(image: ImageRecord, digests: Record<string, string>): boolean {
  const expected = expectedDigest(image);
  if (expected === undefined) return false;
  const received = digests[expected.algo];
  if (received === expected.value) return true;
  throw new CellarError(
    'corrupt',
    `Glance sent other bytes than image ${image.id}: their ${expected.algo} is ${received}, the record says ${expected.value}`,
    {
      hint: 'nothing was kept; try again, and if it happens again compare the image with its source',
      object: image.id,
    },
  );
}

/** By glanceclient's order: os_hash_value if we know its algorithm, else the md5 checksum, else nothing. */
function expectedDigest({osHashAlgo, osHashValue, checksum}: ImageRecord): {algo: string; value: string} | undefined {
  if (osHashAlgo !== undefined && osHashValue !== undefined && isKnown(osHashAlgo)) {
    return {algo: osHashAlgo, value: osHashValue};
  }
  return checksum !== undefined && isKnown('md5') ? {algo: 'md5', value: checksum} : undefined;
}

/** In FIPS mode there is no md5. The shake ones have no length of their own, so nobody can say what was hashed with them. */
const isKnown = (algo: string): boolean => getHashes().includes(algo) && !algo.startsWith('shake');
