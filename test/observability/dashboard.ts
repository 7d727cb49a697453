/** The queries of the Grafana dashboard, and what a real Prometheus answers to them. */
import {readFileSync} from 'node:fs';
import type {Prometheus} from './prometheus.ts';

type Panel = {targets?: {expr: string}[]};

/** As Grafana would ask them, with its variables filled in. `window`: of rates, such as `2m`. */
export function dashboardQueries(window: string): string[] {
  const text = readFileSync(new URL('../../packaging/grafana/cellar.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as {panels: Panel[]}).panels
    .flatMap(({targets = []}) => targets.map(({expr}) => expr))
    .map(query => query.replaceAll('$cell', '.*').replaceAll('$__rate_interval', window));
}

/** Those to which Prometheus has no number now. Fails with its words when one is wrong. */
export async function unanswered(prometheus: Prometheus, queries: readonly string[]): Promise<string[]> {
  const without: string[] = [];
  for (const query of queries) {
    const samples = await prometheus.query(query);
    if (samples.every(({value}) => Number.isNaN(Number(value[1])))) without.push(query);
  }
  return without;
}
