import test from 'ava';
import {best, median, percentile, ratio, rounded} from '../../bench/stats.ts';

test('the median is the middle one, or between the two of the middle, whatever the order', t => {
  t.is(median([3, 1, 2]), 2);
  t.is(median([4, 1, 3, 2]), 2.5);
  t.is(median([7]), 7);
});

test('sorting is by number, and leaves the samples as they are', t => {
  const samples = [100, 9, 20];
  t.is(median(samples), 20);
  t.deepEqual(samples, [100, 9, 20]);
});

test('percentiles lie on straight lines between neighbours', t => {
  const samples = Array.from({length: 101}, (_, at) => at);
  t.is(percentile(samples, 0), 0);
  t.is(percentile(samples, 0.99), 99);
  t.is(percentile(samples, 1), 100);
  t.is(percentile([10, 20], 0.25), 12.5);
  t.is(percentile([10, 20], 2), 20);
});

test('a ratio is of medians: one outlier does not move it', t => {
  t.is(ratio([1, 2, 1000], [4, 4, 4]), 0.5);
});

test('the best series is the one with the smallest median; those without samples do not count', t => {
  t.deepEqual(best({slow: [3, 3, 3], quick: [1, 2, 90], none: []}), {name: 'quick', samples: [1, 2, 90]});
});

test('no samples, no number', t => {
  t.throws(() => median([]), {instanceOf: RangeError});
  t.throws(() => best({none: []}), {instanceOf: RangeError});
});

test('rounding keeps significant digits', t => {
  t.is(rounded(12345, 3), 12300);
  t.is(rounded(0.012345), 0.0123);
  t.is(rounded(0), 0);
});
