/** What a section of the bench is. */
import type {Place} from '../place.ts';

/** One JSON object of the report; its numbers' meanings are in report/targets.ts. */
export type Result = Record<string, number>;

/** `samples` in milliseconds unless their name says otherwise. */
export type Measured = {result: Result; samples: Record<string, readonly number[]>};

/** `why` it was not measured: the product cannot do it. */
export type Unmeasured = {unmeasured: string};

/** Leaves the lab as it found it, but for image records in Glance. */
export type Section = (place: Place) => Promise<Record<string, Measured | Unmeasured>>;

/** Progress, on stderr: stdout holds the results alone. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
