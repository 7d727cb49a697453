/** Runs the checks, side by side as far as they do not need each other. */
import {setTimeout as sleep} from 'node:timers/promises';
import {asCellarError, type CellarError} from '../core/errors.ts';
import {abortable} from '../core/single-flight.ts';
import {fromRbd} from '../rbd/errors.ts';
import {type Check, type Seen, type Verdict, verdicts} from './check.ts';
import type {Context} from './context.ts';

export type Finding = Seen & {check: string};

export type Diagnosis = {
  /** The worst of the findings. */
  verdict: Verdict;
  /** In the order of the checks. */
  findings: Finding[];
  /** Checks that would have said nothing, because another one failed. */
  skipped: {check: string; because: string}[];
};

/** ms that one check may take. */
const patience = 60_000;

/** ms that those whose time is over have to put away what they made, before the connections are closed. */
const grace = 10_000;

export async function runChecks(checks: readonly Check[], context: Context, signal: AbortSignal): Promise<Diagnosis> {
  const runs = new Map<string, Promise<Seen[] | {because: string}>>();
  const begun: Promise<unknown>[] = [];
  for (const check of checks) runs.set(check.id, runOne(check, runs, context, signal, begun));
  const findings: Finding[] = [];
  const skipped: Diagnosis['skipped'] = [];
  for (const [check, run] of runs) {
    const seen = await run;
    if (Array.isArray(seen)) findings.push(...seen.map(one => ({check, ...one})));
    else skipped.push({check, ...seen});
  }
  await Promise.race([Promise.allSettled(begun), sleep(grace, undefined, {ref: false})]);
  signal.throwIfAborted();
  return {verdict: worst(findings), findings, skipped};
}

/** Those it needs come earlier in the list. */
async function runOne(
  {id, needs = [], run}: Check,
  runs: ReadonlyMap<string, Promise<Seen[] | {because: string}>>,
  context: Context,
  signal: AbortSignal,
  begun: Promise<unknown>[],
): Promise<Seen[] | {because: string}> {
  for (const need of needs) {
    const before = await runs.get(need);
    if (before === undefined) throw new Error(`${id} needs ${need}, which is not before it`);
    if (!Array.isArray(before)) return before;
    if (before.some(({verdict}) => verdict === 'fail')) return {because: need};
  }
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  try {
    const running = (async () => run(context, limit))();
    begun.push(running);
    const seen = await abortable(running, limit);
    return Array.isArray(seen) ? seen : [seen];
  } catch (thrown) {
    return [failed(asCellarError(fromRbd(thrown)))];
  }
}

const failed = ({message, hint}: CellarError): Seen => ({
  verdict: 'fail',
  seen: message,
  mend: hint ?? 'see `journalctl -u cellar-agent`',
});

const worst = (findings: readonly Finding[]): Verdict =>
  verdicts[Math.max(0, ...findings.map(({verdict}) => verdicts.indexOf(verdict)))] ?? 'fail';
