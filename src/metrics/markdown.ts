/** docs/metrics.md, made from the tables. */
import {agentMetrics} from './agent.ts';
import type {LabelValues, Metric, MetricTable} from './metric.ts';
import {processMetrics} from './process.ts';
import {registrarMetrics} from './registrar.ts';

const introduction = `# Metrics

This page is made from the tables in src/metrics. Every metric of the process and the agent is exposed by a running agent,
those of the process and the registrar by a running [cellar-registrar](operations.md#through-cellar-registrar).

    curl --unix-socket /run/cellar/cellar.sock http://localhost/metrics

answers in the text format of Prometheus. For Prometheus itself the agent serves the same over TCP where \`[agent]
metrics_listen\` says:

\`\`\`ini
[agent]
metrics_listen = 10.0.0.11:9298
\`\`\`

\`\`\`yaml
scrape_configs:
  - job_name: cellar-agent
    static_configs:
      - targets: ['10.0.0.11:9298', '10.0.0.12:9298']
\`\`\`

cellar-registrar has \`[registrar] metrics_listen\` for the same, and no socket.

Whoever reaches the address reads the metrics. They name the host's cell, and no image, project, pool, user or URL; there is no secret
in them.

- Every series of an agent has the label \`cell\`, \`[cell] name\` or else \`uuid\`, where the configuration has one. Alerts and the
  dashboard take hosts with the same label for one cell: give all hosts of a cell the same \`[cell] name\`, or set the label in
  the scrape configuration.
- Every label has the values that are listed here and no others, so that an agent has a bounded number of series, some 600.
  The series of a counter or a histogram are there from the start, at 0.
- A scrape asks neither Ceph nor Glance. What is told of the cache was seen by the agent in its last round as the cell's janitor, or at its
  last fill, and goes when it is older than three rounds. So of the agents of a cell one or a few tell it: take the
  \`max by (cell)\`.
- [packaging/prometheus/cellar.rules.yml](../packaging/prometheus/cellar.rules.yml) has alerts, each with
  [what to do](operations.md#alerts), and [packaging/grafana/cellar.json](../packaging/grafana/cellar.json) a dashboard.
`;

const sections: [string, MetricTable][] = [
  ['The process', processMetrics],
  ['The agent', agentMetrics],
  ['The registrar', registrarMetrics],
];

export function metricsMarkdown(): string {
  const tables = sections.map(
    ([title, table]) => `\n## ${title}\n\n| metric | type | labels | what it says |\n|---|---|---|---|\n${rows(table)}`,
  );
  return introduction + tables.join('');
}

const rows = (table: MetricTable): string =>
  Object.entries(table)
    .map(([name, metric]) => `| \`${name}\` | ${metric.type} | ${labels(metric)} | ${metric.help} |\n`)
    .join('');

const labels = (metric: Metric): string =>
  Object.entries(metric.labels)
    .map(([name, values]) => `\`${name}\`${listed(values)}`)
    .join('; ');

const listed = (values: LabelValues): string =>
  values === 'free' ? '' : `: ${values.map(value => `\`${value}\``).join(', ')}`;
