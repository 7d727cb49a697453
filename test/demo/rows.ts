import type {Comparison} from '../helpers/bytes.ts';
import type {Dashboard} from './watch.ts';

/** One line of the demo's table. `glanceBytes` is what Glance's own log says it sent. */
export type Row = {
  road: 'fill' | 'cached' | 'location' | 'stock';
  outcome: string;
  seconds: number;
  glanceBytes: number;
  parent: string | null;
  identical: boolean;
  why?: string;
};

/** All that the demo found. */
export type Result = {rows: Row[]; dashboard: Dashboard | undefined};

const titles: Record<Row['road'], string> = {
  fill: '(a) first disk of the image in this cell',
  cached: '(b) second disk of the same image',
  location: "(c) an image with a location in the cell's own cluster",
  stock: 'for contrast: the first disk as stock Nova makes it',
};

/** The row is right only if the disk is, byte for byte. */
export const rowOf = (row: Omit<Row, 'identical'>, {identical, why}: Comparison): Row => ({
  ...row,
  identical,
  ...(why && {why}),
});

/** What each row must say, and that no query of the dashboard is without an answer; the reasons why the demo failed. */
export function reasonsToFail({rows, dashboard}: Result): string[] {
  const without = dashboard?.without ?? ['all of them'];
  return [...wrongRows(rows), ...without.map(query => `Prometheus has no answer to the dashboard's query ${query}`)];
}

function wrongRows(rows: Row[]): string[] {
  const expected: Record<Row['road'], (row: Row) => boolean> = {
    fill: row => row.outcome === 'filled' && row.glanceBytes > 0 && (row.parent?.startsWith('cellar/') ?? false),
    cached: row =>
      row.outcome === 'cloned-from-cache' && row.glanceBytes === 0 && row.parent === parentOf(rows, 'fill'),
    location: row => row.outcome === 'cloned' && row.glanceBytes === 0 && (row.parent?.startsWith('images/') ?? false),
    stock: row => row.outcome === 'imported' && row.glanceBytes > 0 && row.parent === null,
  };
  return (Object.keys(expected) as Row['road'][]).flatMap(road => {
    const row = rows.find(one => one.road === road);
    if (row === undefined) return [`there is no row for the road ${road}`];
    const wrong = expected[road](row) ? [] : [`the road ${road} ended otherwise than said: ${JSON.stringify(row)}`];
    return row.identical ? wrong : [...wrong, `the disk of the road ${road} is not the image: ${row.why}`];
  });
}

const parentOf = (rows: Row[], road: Row['road']) => rows.find(row => row.road === road)?.parent;

export function printTable({rows, dashboard}: Result): void {
  if (rows.length === 0) return;
  const head = ['', 'outcome', 'seconds', 'from Glance', 'parent', 'bytes'];
  const lines = rows.map(row => [
    titles[row.road],
    row.outcome,
    row.seconds.toFixed(2),
    `${(row.glanceBytes / 1024 / 1024).toFixed(0)} MiB`,
    row.parent?.replace(/([0-9a-f]{8})[0-9a-f-]{28}/, '$1…') ?? 'none: a full copy',
    row.identical ? 'identical' : 'DIFFERENT',
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map(line => (line[column] ?? '').length)));
  const format = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const table = [head, ...lines].map(format);
  if (dashboard !== undefined) {
    const {queries, without} = dashboard;
    const title = "the dashboard's queries, in a real Prometheus".padEnd(widths[0] ?? 0);
    table.push(`${title}  ${queries - without.length} of ${queries} have an answer`);
  }
  process.stdout.write(`\n${table.join('\n')}\n\n`);
}
