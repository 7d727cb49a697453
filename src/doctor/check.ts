/** What a check is, and how its findings are told. */
import type {Context} from './context.ts';

/** From good to bad: the worst of a run is its exit code. */
export const verdicts = ['ok', 'warn', 'fail'] as const;

export type Verdict = (typeof verdicts)[number];

/** `seen`: what was found, in one sentence. `mend`: the command or the change that helps; always there unless all is well. */
export type Seen =
  | {verdict: 'ok'; seen: string; mend?: undefined}
  | {verdict: 'warn' | 'fail'; seen: string; mend: string};

/** One thing to look at. It changes nothing that it does not put back. What it throws is a `fail`. */
export type Check = {
  id: string;
  /** For the table in the documents. */
  title: string;
  /** Checks without which this one says nothing: where one of them fails it is left out. */
  needs?: readonly string[];
  run(context: Context, signal: AbortSignal): Promise<Seen | Seen[]> | Seen | Seen[];
};

export const ok = (seen: string): Seen => ({verdict: 'ok', seen});
export const warn = (seen: string, mend: string): Seen => ({verdict: 'warn', seen, mend});
export const fail = (seen: string, mend: string): Seen => ({verdict: 'fail', seen, mend});
