import test from 'ava';
import fc from 'fast-check';
import {dataExtents, granule} from '../../bench/sparse.ts';

/** A block of granules, each all zero, or with one byte of data somewhere; the last one may be short. */
const blocks = fc
  .tuple(fc.array(fc.option(fc.nat(granule - 1)), {maxLength: 12}), fc.nat(granule - 1), fc.boolean())
  .map(([granules, tail, dirty]) => {
    const block = Buffer.alloc(granules.length * granule + tail);
    granules.forEach((at, number) => {
      if (at !== null) block[number * granule + at] = 1;
    });
    if (dirty && tail > 0) block[block.length - 1] = 1;
    return block;
  });

test('writing only the extents makes the block again, whatever is in it', t => {
  fc.assert(
    fc.property(blocks, block => {
      const rebuilt = Buffer.alloc(block.length);
      for (const [start, end] of dataExtents(block)) block.copy(rebuilt, start, start, end);
      t.true(rebuilt.equals(block));
    }),
    {numRuns: 60},
  );
});

test('extents are in order, apart from each other, aligned to granules, and each granule of them holds data', t => {
  fc.assert(
    fc.property(blocks, block => {
      let last = -1;
      for (const [start, end] of dataExtents(block)) {
        t.true(start > last && end > start && start % granule === 0);
        t.true(end % granule === 0 || end === block.length);
        for (let at = start; at < end; at += granule) {
          t.true(block.subarray(at, Math.min(at + granule, end)).some(byte => byte !== 0));
        }
        last = end;
      }
    }),
    {numRuns: 60},
  );
});

test('nothing, and zeros of any length, have no extent', t => {
  for (const length of [0, 1, granule, granule + 1, 4 * granule]) t.deepEqual(dataExtents(Buffer.alloc(length)), []);
});

test('a byte in a short tail is one short extent', t => {
  const block = Buffer.alloc(granule + 10);
  block[granule + 9] = 7;
  t.deepEqual(dataExtents(block), [[granule, granule + 10]]);
});
