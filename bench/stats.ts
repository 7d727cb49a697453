/** The few numbers that are made of many samples. */

/** The value below which the fraction `p` (0 to 1) of the samples lies, with straight lines between neighbours. */
export function percentile(samples: readonly number[], p: number): number {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * Math.min(1, Math.max(0, p));
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5);

/** How many times the other the one is, by their medians: below 1, the one is smaller. */
export const ratio = (one: readonly number[], other: readonly number[]): number => median(one) / median(other);

/** Of several series the one with the smallest median: the best that a floor can be. */
export function best(series: Readonly<Record<string, readonly number[]>>): {name: string; samples: readonly number[]} {
  const all = Object.entries(series).filter(([, samples]) => samples.length > 0);
  const [first, ...others] = all.map(([name, samples]) => ({name, samples}));
  if (first === undefined) throw new RangeError('no series');
  return others.reduce((least, one) => (median(one.samples) < median(least.samples) ? one : least), first);
}

/** To so many significant digits, as a number: what JSON and tables show. */
export const rounded = (value: number, digits = 3): number => Number(value.toPrecision(digits));
