import {checkWithQemu} from '../../src/convert/check.ts';
import type {QemuLimits} from '../../src/convert/limits.ts';
import {judgeFormat, type Report, type Verdict} from '../../src/core/format/index.ts';

export type AgreeOptions = {
  /** Glance's disk_format. */
  declared: string;
  report: Report;
  /** Where the whole file lies; not looked at when its bytes are kept as they are. */
  path: string;
  limits: QemuLimits;
  signal: AbortSignal;
};

/**
 * The three-way agreement: what Glance declares, what we found, what QEMU sees. QEMU is asked last and only about a file that
 * is to be converted: one that we refuse never reaches it.
 */
export async function agree({declared, report, path, limits, signal}: AgreeOptions): Promise<Verdict> {
  const verdict = judgeFormat(declared, report);
  if (!verdict.ok || verdict.store === 'as-is') return verdict;
  const opinion = await checkWithQemu({path, expected: verdict, limits, signal});
  return opinion.ok ? verdict : {ok: false, why: opinion.why};
}
