import {createHash, getHashes, type Hash} from 'node:crypto';
import {CellarError} from './errors.ts';
import type {ImageRecord} from './image.ts';

export const rawDigestAlgo = 'sha512';

/**
 * The digests of one file while it streams past: sha512 always (it is kept as the copy's own), and what Glance names, by
 * glanceclient's order: os_hash_value if we know its algorithm, else the md5 checksum, else nothing to hold it against.
 */
export class Digests {
  readonly #hashes = new Map<string, Hash>();
  readonly #expected: {algo: string; value: string} | undefined;
  #received = 0;

  constructor(image: ImageRecord) {
    this.#expected = expectedDigest(image);
    for (const algo of new Set([rawDigestAlgo, this.#expected?.algo])) {
      if (algo !== undefined) this.#hashes.set(algo, createHash(algo));
    }
  }

  get received(): number {
    return this.#received;
  }

  update(chunk: Uint8Array): void {
    this.#received += chunk.length;
    for (const hash of this.#hashes.values()) hash.update(chunk);
  }

  /** All digests by algorithm, and whether one of them was held against Glance's. Fails with `corrupt` when it differs. */
  finish(image: ImageRecord): {digests: Record<string, string>; verified: boolean} {
    const digests = Object.fromEntries([...this.#hashes].map(([algo, hash]) => [algo, hash.digest('hex')]));
    const expected = this.#expected;
    if (expected !== undefined && digests[expected.algo] !== expected.value) {
      throw new CellarError(
        'corrupt',
        `Glance sent other bytes than image ${image.id}: their ${expected.algo} is ${digests[expected.algo]}, the record says ${expected.value}`,
        {
          hint: 'nothing was kept; try again, and if it happens again compare the image with its source',
          object: image.id,
        },
      );
    }
    return {digests, verified: expected !== undefined};
  }
}

function expectedDigest({osHashAlgo, osHashValue, checksum}: ImageRecord): {algo: string; value: string} | undefined {
  if (osHashAlgo !== undefined && osHashValue !== undefined && getHashes().includes(osHashAlgo)) {
    return {algo: osHashAlgo, value: osHashValue};
  }
  return checksum === undefined ? undefined : {algo: 'md5', value: checksum};
}
