/** Text in columns. Pure. */

/** Rows under a header line, columns two spaces apart and as wide as their widest cell; `right` holds the columns of numbers. */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map(row => (row[column] ?? '').length)));
  return all.map(row => line(row, widths, right)).join('');
}

/** Names and their values, one each line; those without a value are left out. */
export function pairs(rows: readonly (readonly [string, string | undefined])[]): string {
  const there = rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const width = Math.max(...there.map(([name]) => name.length));
  return there.map(row => line(row, [width], [])).join('');
}

function line(row: readonly string[], widths: readonly number[], right: readonly number[]): string {
  const cells = row.map((cell, column) => {
    const width = widths[column] ?? 0;
    return right.includes(column) ? cell.padStart(width) : cell.padEnd(width);
  });
  return `${cells.join('  ').trimEnd()}\n`;
}

/** The text without what a terminal would obey: answers and errors may quote what others wrote. Line breaks stay. */
export const harmless = (text: string): string => text.replace(/(?!\n)[\p{Cc}\u2028\u2029]/gu, '?');
