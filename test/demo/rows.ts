import type {Comparison} from '../helpers/bytes.ts';

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

/** What each row must say; the reasons why the demo failed. */
export function reasonsToFail(rows: Row[]): string[] {
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

export function printTable(rows: Row[]): void {
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
  process.stdout.write(`\n${[head, ...lines].map(format).join('\n')}\n\n`);
}
