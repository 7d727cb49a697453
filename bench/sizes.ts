/** How much is measured. */

const mib = 1024 * 1024;

/** An image: its length and the bytes of it that are not zero. */
export type ImageSize = {size: number; data: number};

export type Sizes = {
  /** Rounds of whatever takes seconds. */
  runs: number;
  /** Rounds of what takes milliseconds. */
  cloneRounds: number;
  clone: ImageSize;
  fill: ImageSize;
  /** Objects in flight that the write floor is tried with. */
  depths: number[];
  herd: ImageSize & {agents: number; requests: number; runs: number};
  memory: {images: ImageSize[]; runs: number};
  parallel: {clones: number; inFlight: number; sequential: number};
  boot: ImageSize & {runs: number};
  registration: {runs: number; hosts: number};
};

const image = (size: number, data: number): ImageSize => ({size: size * mib, data: data * mib});

/** What docs/benchmarks.md is made of. */
export const full: Sizes = {
  runs: 5,
  cloneRounds: 60,
  clone: image(64, 32),
  fill: image(2048, 1024),
  depths: [8, 16, 32],
  herd: {...image(256, 128), agents: 8, requests: 8, runs: 3},
  memory: {images: [image(512, 512), image(8192, 1024)], runs: 3},
  parallel: {clones: 500, inFlight: 16, sequential: 100},
  boot: {...image(512, 256), runs: 5},
  registration: {runs: 5, hosts: 200},
};

/** Whether everything still runs; its numbers mean little. */
export const quick: Sizes = {
  runs: 2,
  cloneRounds: 8,
  clone: image(16, 8),
  fill: image(128, 64),
  depths: [16],
  herd: {...image(32, 16), agents: 8, requests: 8, runs: 1},
  memory: {images: [image(64, 64), image(512, 96)], runs: 1},
  parallel: {clones: 64, inFlight: 16, sequential: 16},
  boot: {...image(64, 32), runs: 1},
  registration: {runs: 1, hosts: 20},
};
