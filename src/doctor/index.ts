import {checks} from './checks.ts';
import {type ContextOptions, openContext} from './context.ts';
import {type Diagnosis, runChecks} from './run.ts';

export type {Verdict} from './check.ts';
export type {Diagnosis, Finding} from './run.ts';

/** Looks at all that this host needs to serve disks. Leaves nothing behind. */
export async function diagnose(options: ContextOptions, signal: AbortSignal): Promise<Diagnosis> {
  await using context = openContext(options);
  return await runChecks(checks, context, signal);
}
