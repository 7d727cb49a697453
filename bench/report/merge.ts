/** A run of some sections takes the place of those in the report that is written down; the others stay, with their date. */
import type {Found, Report} from './report.ts';

/** When a section was measured that this run did not measure. */
export type Earlier = Record<string, string>;

type Written = {date: string; measured?: Earlier; samples: Record<string, Record<string, number[]>>} & Record<
  string,
  unknown
>;

/** The written report's sections that the run has not. */
export function merge(report: Report, written: Written | undefined): Report {
  if (written === undefined) return report;
  const kept = Object.keys(written.samples).filter(name => !(name in report.found));
  const old: Found = Object.fromEntries(
    kept.map(name => [name, {result: written[name] as Record<string, number>, samples: written.samples[name] ?? {}}]),
  );
  const earlier = Object.fromEntries(kept.map(name => [name, written.measured?.[name] ?? written.date]));
  return {...report, found: {...old, ...report.found}, earlier};
}

/** For the page; empty when all of it is of one run. */
export function tellEarlier({earlier = {}}: Report): string {
  const dates = Map.groupBy(Object.entries(earlier), ([, date]) => date);
  const told = [...dates].map(([date, sections]) => `${sections.map(([name]) => name).join(', ')} on ${date}`);
  return told.length === 0 ? '' : `- **Measured before, in the same way**: ${told.join('; ')}\n`;
}
