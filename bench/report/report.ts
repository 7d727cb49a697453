/** The report: what a run found, as data, as a table for a terminal. */
import type {Measured, Result, Unmeasured} from '../sections/section.ts';
import type {Sizes} from '../sizes.ts';
import {rounded} from '../stats.ts';
import type {Machine} from './machine.ts';
import type {Earlier} from './merge.ts';
import {type Row, rows} from './targets.ts';

export type Found = Record<string, Measured | Unmeasured | {failed: string}>;

export type Report = {
  date: string;
  seconds: number;
  quick: boolean;
  machine: Machine;
  sizes: Sizes;
  found: Found;
  /** Sections that are from an earlier run, with its date. */
  earlier?: Earlier;
};

/** The keys of each section's result, what it ran on, and the raw samples. A section that gave no numbers has no key. */
export function toJson({found, earlier = {}, ...about}: Report): Record<string, unknown> {
  const measured = Object.entries(found).flatMap(([name, one]) => ('result' in one ? [[name, one] as const] : []));
  const results = measured.map(([name, {result}]) => [name, mapValues(result, value => rounded(value, 4))]);
  const samples = measured.map(([name, one]) => [name, mapValues(one.samples, list => list.map(ms => rounded(ms, 5)))]);
  const dates = Object.fromEntries(measured.map(([name]) => [name, earlier[name] ?? about.date]));
  return {...Object.fromEntries(results), ...about, measured: dates, samples: Object.fromEntries(samples)};
}

/** One line for each number that there is: what, how much, target, met or missed. */
export function tableOf(found: Found): string[][] {
  return rows.flatMap(row => {
    const one = found[row.section];
    if (one === undefined || !('result' in one)) return [];
    const value = one.result[row.key];
    return value === undefined ? [] : [[row.title, show(row, value), row.target?.text ?? '', verdict(row, one.result)]];
  });
}

export function printTable(found: Found): void {
  const lines = [['', 'measured', 'target', ''], ...tableOf(found)];
  const widths = [0, 1, 2].map(column => Math.max(...lines.map(line => line[column]?.length ?? 0)));
  const text = lines.map(line =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  process.stdout.write(`\n${text.join('\n')}\n\n`);
  for (const line of notMeasured(found)) process.stdout.write(`${line}\n`);
}

/** The sections without numbers, and why. */
export function notMeasured(found: Found): string[] {
  return Object.entries(found).flatMap(([name, one]) => {
    if ('unmeasured' in one) return [`${name}: not measured: ${one.unmeasured}`];
    return 'failed' in one ? [`${name}: FAILED: ${one.failed}`] : [];
  });
}

function verdict({key, target}: Row, result: Result): string {
  if (target === undefined) return '';
  return target.met(result[key] ?? Number.NaN, result) ? 'met' : 'MISSED';
}

function show({unit, key}: Row, value: number): string {
  if (key === 'glanceBytes') return `${rounded(value / 1024 / 1024, 5)} MiB`;
  return unit === '' ? `${value}` : `${rounded(value)}${unit === 'x' || unit === '/s' ? '' : ' '}${unit}`;
}

const mapValues = <From, To>(record: Record<string, From>, change: (value: From) => To): Record<string, To> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
