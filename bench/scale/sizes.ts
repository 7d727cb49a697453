/** How much is simulated. */

export type ScaleSizes = {
  /** Hosts at work in each step; the last is the whole fleet. */
  steps: number[];
  processes: number;
  /** Disks that a step of boots makes in all, about. */
  disks: number;
  /** Bytes of an image. */
  image: number;
  /** Entries of the index that the janitor's round is measured with. */
  entries: number[];
  /** Objects of the pool beside. */
  objects: number;
  /** ms */
  leaseDuration: number;
};

const MiB = 1024 ** 2;

export const full: ScaleSizes = {
  steps: [10, 50, 100, 200],
  processes: 8,
  disks: 400,
  image: 64 * MiB,
  entries: [0, 100, 1000],
  objects: 100_000,
  leaseDuration: 30_000,
};

export const quick: ScaleSizes = {
  steps: [2, 6],
  processes: 3,
  disks: 12,
  image: 8 * MiB,
  entries: [0, 20],
  objects: 500,
  leaseDuration: 6000,
};
