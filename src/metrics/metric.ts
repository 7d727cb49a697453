/** What a metric is, apart from the library that counts it: the tables in this folder are lists of these, and docs/metrics.md is made from them. */

/** The values a label can have. Closed: what a label may hold bounds how many series there are. `free` is for series of which there is one. */
export type LabelValues = readonly string[] | 'free';

export type Metric = {
  type: 'counter' | 'gauge' | 'histogram';
  /** One sentence; it stands in the exposition and in the documents. */
  help: string;
  labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds, in the metric's unit. */
  buckets?: readonly number[];
};

export type MetricTable = Readonly<Record<string, Metric>>;

type Words = {help: string};
type NoLabels = Readonly<Record<never, LabelValues>>;
type Labels = Readonly<Record<string, LabelValues>>;

export function counter(help: string): Words & {type: 'counter'; labels: NoLabels};
export function counter<const L extends Labels>(help: string, labels: L): Words & {type: 'counter'; labels: L};
export function counter(help: string, labels: Labels = {}) {
  return {type: 'counter', help, labels};
}

export function gauge(help: string): Words & {type: 'gauge'; labels: NoLabels};
export function gauge<const L extends Labels>(help: string, labels: L): Words & {type: 'gauge'; labels: L};
export function gauge(help: string, labels: Labels = {}) {
  return {type: 'gauge', help, labels};
}

/** `buckets` in seconds. */
export const histogram = <const L extends Labels>(help: string, labels: L, buckets: readonly number[]) =>
  ({type: 'histogram', help, labels, buckets}) as const;

/** Every combination of the labels' values; none where one of them is free. */
export function combinations(labels: Labels): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (rows, [name, values]) =>
      values === 'free' ? [] : rows.flatMap(row => values.map(value => ({...row, [name]: value}))),
    [{}],
  );
}
