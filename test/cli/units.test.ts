import test from 'ava';
import {formatAge, formatClock, formatDuration, formatSize, parseDuration, parseSize} from '../../src/cli/units.ts';
import {CellarError} from '../../src/core/errors.ts';

for (const [text, bytes] of [
  ['1', 1],
  ['1048576', 1_048_576],
  ['1K', 1024],
  ['512M', 536_870_912],
  ['10G', 10_737_418_240],
  ['10g', 10_737_418_240],
  ['10GiB', 10_737_418_240],
  ['2T', 2_199_023_255_552],
  [' 3G ', 3_221_225_472],
  ['9007199254740991', 9_007_199_254_740_991],
] as const) {
  test(`the size ${JSON.stringify(text)} is ${bytes} bytes`, t => {
    t.is(parseSize(text), bytes);
  });
}

for (const [text, why] of [
  ['10GB', 'may mean powers of 1000 or of 1024; write 10GiB for the latter'],
  ['5kb', 'may mean powers of 1000 or of 1024; write 5KiB for the latter'],
  ['', 'is not a whole number with K, M, G or T'],
  ['G', 'is not a whole number with K, M, G or T'],
  ['1.5G', 'is not a whole number with K, M, G or T'],
  ['-1', 'is not a whole number with K, M, G or T'],
  ['+1', 'is not a whole number with K, M, G or T'],
  ['1e3', 'is not a whole number with K, M, G or T'],
  ['0x10', 'is not a whole number with K, M, G or T'],
  ['10 G', 'is not a whole number with K, M, G or T'],
  ['1P', 'is not a whole number with K, M, G or T'],
  ['10iB', 'is not a whole number with K, M, G or T'],
  ['0', 'is nothing'],
  ['0G', 'is nothing'],
  ['9007199254740992', 'is too large'],
  ['8193T', 'is too large'],
] as const) {
  test(`the size ${JSON.stringify(text)} is refused: ${why}`, t => {
    const error = t.throws(() => parseSize(text), {instanceOf: CellarError});
    t.like(error, {kind: 'usage', message: `the size ${JSON.stringify(text)} ${why}`});
  });
}

test('times are seconds, minutes or hours, and not endless', t => {
  t.deepEqual(['90', '90s', '10m', '2h'].map(parseDuration), [90_000, 90_000, 600_000, 7_200_000]);
  for (const text of ['0', '', '1.5', '1d', '-1', '597h']) {
    t.is(t.throws(() => parseDuration(text), {instanceOf: CellarError}).kind, 'usage', text);
  }
});

test('sizes are shown in the largest unit there is one of', t => {
  t.deepEqual([0, 1023, 1024, 1536, 612_368_384, 21_474_836_480, 2 ** 50].map(formatSize), [
    '0 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '584 MiB',
    '20 GiB',
    '1024 TiB',
  ]);
});

test('times are shown as precisely as they are of use', t => {
  t.deepEqual([0, 153, 12_340, 125_000, 3_725_000].map(formatDuration), [
    '0.000 s',
    '0.153 s',
    '12.3 s',
    '2:05 min',
    '1:02:05 h',
  ]);
  t.deepEqual([0, 9.9, 60, 3600].map(formatClock), ['0:00', '0:09', '1:00', '1:00:00']);
});

for (const [seconds, text] of [
  [-5, '0 s'],
  [59.9, '59 s'],
  [60, '1 min'],
  [3599, '59 min'],
  [7200, '2 h'],
  [86_400 * 4, '4 d'],
] as const) {
  test(`${seconds} s ago is ${text} ago`, t => {
    t.is(formatAge(seconds * 1000), text);
  });
}
