/** Runs of zeros shorter than this are written: a hole costs an extent in the object, and the guest's file system rarely leaves smaller ones. */
export const granule = 64 * 1024;

const zeros = Buffer.alloc(granule);

/**
 * The parts of `block` that hold data, as [start, end) offsets in multiples of the granule (the last may be shorter).
 * An all-zero block has none: what RBD never got reads as zeros.
 */
export function dataExtents(block: Uint8Array): [start: number, end: number][] {
  const extents: [number, number][] = [];
  for (let start = 0; start < block.length; start += granule) {
    const end = Math.min(start + granule, block.length);
    if (zeros.compare(block, start, end, 0, end - start) === 0) continue;
    const last = extents.at(-1);
    if (last !== undefined && last[1] === start) last[1] = end;
    else extents.push([start, end]);
  }
  return extents;
}
