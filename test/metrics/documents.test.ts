import {readFileSync, writeFileSync} from 'node:fs';
import test from 'ava';
import {errorKinds} from '../../src/core/errors.ts';
import {agentMetrics} from '../../src/metrics/agent.ts';
import {metricsMarkdown} from '../../src/metrics/markdown.ts';
import {combinations, type Metric} from '../../src/metrics/metric.ts';
import {processMetrics} from '../../src/metrics/process.ts';
import {registrarMetrics} from '../../src/metrics/registrar.ts';

const all: [string, Metric][] = [...Object.entries(processMetrics), ...Object.entries(agentMetrics)];

test('docs/metrics.md is made from the tables of metrics', t => {
  const path = new URL('../../docs/metrics.md', import.meta.url);
  if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(path, metricsMarkdown());
  t.is(readFileSync(path, 'utf8'), metricsMarkdown(), 'UPDATE_DOCS=1 ava test/metrics/documents.test.ts writes it');
});

test('names are as Prometheus wants them: our prefix, base units, _total for what only grows', t => {
  for (const [name, {type, help}] of [...all, ...Object.entries(registrarMetrics)]) {
    t.regex(name, /^cellar_[a-z]+(_[a-z]+)*$/);
    t.is(type === 'counter', name.endsWith('_total'), name);
    if (type === 'histogram') t.regex(name, /_seconds$/);
    t.notRegex(name, /_(ms|milliseconds|kb|mib|percent)(_|$)/);
    t.regex(help, /\.$/, name);
    t.notRegex(help, /\|/, name);
  }
});

test('an agent has a bounded number of series, each label a closed set; free ones are of metrics with one series', t => {
  const series = all.map(([name, {labels, buckets = []}]) => {
    const free = Object.values(labels).filter(values => values === 'free').length;
    if (free > 0) t.is(name, 'cellar_build_info');
    return Math.max(1, combinations(labels).length) * (buckets.length === 0 ? 1 : buckets.length + 3);
  });
  t.true(series.reduce((sum, one) => sum + one) < 700, String(series.reduce((sum, one) => sum + one)));
  t.deepEqual(agentMetrics.cellar_disk_failures_total.labels.kind, Object.keys(errorKinds) as never);
});
