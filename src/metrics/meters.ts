/** Metrics that count: a table of metrics made real, and its text for Prometheus. */
import {Counter, Gauge, Histogram, Registry} from 'prom-client';
import {combinations, type LabelValues, type Metric, type MetricTable} from './metric.ts';

type LabelsOf<M extends Metric> = {
  [L in keyof M['labels']]: M['labels'][L] extends readonly (infer V)[] ? V : string;
};

type Named<T extends MetricTable, K extends Metric['type']> = {
  [N in keyof T]: T[N] extends {type: K} ? N : never;
}[keyof T] &
  string;

/** What goes over the wire: the exposition's text and its media type. */
export type Exposition = {type: string; text: string};

/**
 * The metrics of one program. Counters and histograms with closed labels begin at 0 in every series, so that a rate has a beginning; a
 * gauge is there once it was set. The compiler holds names and labels to the table.
 */
export class Meters<T extends MetricTable> {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #labels = new Map<string, Metric['labels']>();
  readonly #values = new Map<string, number>();
  readonly #scrapes: (() => void)[] = [];

  /** `constant`: labels of every series. */
  constructor(table: T, constant: Record<string, string> = {}) {
    this.#registry.setDefaultLabels(constant);
    for (const [name, metric] of Object.entries(table)) this.#add(name, metric);
  }

  count<N extends Named<T, 'counter'>>(name: N, labels: LabelsOf<T[N]>, by = 1): void {
    this.#counters.get(name)?.inc(labels as Record<string, string>, by);
  }

  /** undefined: not known, and the series goes. */
  set<N extends Named<T, 'gauge'>>(name: N, labels: LabelsOf<T[N]>, value: number | undefined): void {
    const key = seriesKey(name, labels);
    if (value === undefined) {
      this.#gauges.get(name)?.remove(labels as Record<string, string>);
      this.#values.delete(key);
    } else {
      this.#gauges.get(name)?.set(labels as Record<string, string>, value);
      this.#values.set(key, value);
    }
  }

  /** What the gauge was set to; undefined while it is not there. */
  valueOf<N extends Named<T, 'gauge'>>(name: N, labels: LabelsOf<T[N]>): number | undefined {
    return this.#values.get(seriesKey(name, labels));
  }

  /** Takes all series of the gauge away. */
  clear<N extends Named<T, 'gauge'>>(name: N): void {
    this.#gauges.get(name)?.reset();
    for (const key of this.#values.keys()) if (key.startsWith(`${name} `)) this.#values.delete(key);
  }

  /** The gauge of the value is 1, those of all others are 0. */
  choose<N extends Named<T, 'gauge'>>(name: N, label: keyof T[N]['labels'] & string, value: string): void {
    const values: LabelValues = this.#labels.get(name)?.[label] ?? [];
    for (const one of values === 'free' ? [] : values)
      this.set(name, {[label]: one} as LabelsOf<T[N]>, one === value ? 1 : 0);
  }

  observe<N extends Named<T, 'histogram'>>(name: N, labels: LabelsOf<T[N]>, seconds: number): void {
    this.#histograms.get(name)?.observe(labels as Record<string, string>, seconds);
  }

  /** Called before each answer, to set what is looked at and not told. It must not throw, and asks nobody. */
  onScrape(act: () => void): void {
    this.#scrapes.push(act);
  }

  async expose(): Promise<Exposition> {
    for (const act of this.#scrapes) act();
    return {type: this.#registry.contentType, text: await this.#registry.metrics()};
  }

  #add(name: string, {type, help, labels, buckets = []}: Metric): void {
    const options = {name, help, labelNames: Object.keys(labels), registers: [this.#registry]};
    this.#labels.set(name, labels);
    if (type === 'gauge') return void this.#gauges.set(name, new Gauge(options));
    if (type === 'counter') {
      const counter = new Counter(options);
      for (const row of combinations(labels)) counter.inc(row, 0);
      return void this.#counters.set(name, counter);
    }
    const histogram = new Histogram({...options, buckets: [...buckets]});
    for (const row of combinations(labels)) histogram.zero(row);
    this.#histograms.set(name, histogram);
  }
}

const seriesKey = (name: string, labels: object): string => `${name} ${JSON.stringify(labels)}`;

/** Several tables as one exposition. */
export async function exposeAll(all: readonly {expose(): Promise<Exposition>}[]): Promise<Exposition> {
  const expositions = await Promise.all(all.map(meters => meters.expose()));
  return {type: expositions[0]?.type ?? '', text: expositions.map(({text}) => text).join('')};
}
