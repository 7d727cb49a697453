/** When to try again. */
import {setTimeout as sleep} from 'node:timers/promises';
import type {CellarError} from '../core/errors.ts';
import {aborted} from './failure.ts';

/** Times are milliseconds. */
export type RetryPolicy = {
  /** How often to come back to the same servers. */
  retries: number;
  /** The first pause; each further one is twice as long, up to `maxDelay`. */
  delay: number;
  maxDelay: number;
  /** No round is begun later than this after the first attempt. */
  deadline: number;
};

/** Times are milliseconds. */
export type FailedAttempt = {
  /** From 1. */
  round: number;
  /** Since the first attempt began. */
  elapsed: number;
  /** In [0, 1). */
  random: number;
  retryAfter?: number | undefined;
  /** A server is left that was not tried in this round. */
  elsewhere?: boolean;
};

/** ini names; times are seconds. */
export type RetryOptions = {
  /** Default 3. */
  retries?: number | undefined;
  /** Default 0.5. */
  retry_delay?: number | undefined;
  /** Default 60. */
  retry_deadline?: number | undefined;
};

/** An attempt that failed and may be repeated. Thrown to `persist`, never out of it. */
export class Setback extends Error {
  readonly error: CellarError;
  readonly retryAfter: number | undefined;
  readonly elsewhere: boolean;

  /** `elsewhere`: a server that was not tried in this round is left. `retryAfter`: the server's wish, in milliseconds. */
  constructor(
    error: CellarError,
    {retryAfter, elsewhere = false}: {retryAfter?: number | undefined; elsewhere?: boolean} = {},
  ) {
    super(error.message);
    this.error = error;
    this.retryAfter = retryAfter;
    this.elsewhere = elsewhere;
  }
}

/** Milliseconds to wait before the next attempt, or undefined to give up. */
export function retryDelay(policy: RetryPolicy, attempt: FailedAttempt): number | undefined {
  const {round, elapsed, random, retryAfter, elsewhere = false} = attempt;
  // There are only so many servers, and one that hung until the deadline says nothing about the next.
  if (elsewhere) return 0;
  if (round > policy.retries) return undefined;
  const backOff = Math.min(policy.delay * 2 ** (round - 1), policy.maxDelay);
  // Never earlier than asked for; the jitter keeps a herd that failed together from coming back together.
  const wait = (retryAfter ?? backOff / 2) + (random * backOff) / 2;
  return elapsed + wait > policy.deadline ? undefined : wait;
}

/** Runs `attempt` until it succeeds, throws something else than a Setback, or the policy gives up: then the last setback's error. */
export async function persist<T>(policy: RetryPolicy, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const start = performance.now();
  for (let round = 1; ; ) {
    try {
      return await attempt();
    } catch (setback) {
      if (!(setback instanceof Setback)) throw setback;
      const {elsewhere, retryAfter} = setback;
      const elapsed = performance.now() - start;
      const wait = retryDelay(policy, {round, elapsed, random: Math.random(), retryAfter, elsewhere});
      if (wait === undefined) throw setback.error;
      if (!elsewhere) round += 1;
      await pause(wait, signal);
    }
  }
}

/** Statuses that another attempt may mend. */
export function isPassing(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** A Retry-After header in milliseconds. A date counts from the server's own Date: our clocks may differ. */
export function retryAfter(headers: {
  'retry-after'?: string | undefined;
  date?: string | undefined;
}): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const wait = Date.parse(value) - (headers.date === undefined ? Date.now() : Date.parse(headers.date));
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}

export function retryPolicy({retries = 3, retry_delay = 0.5, retry_deadline = 60}: RetryOptions): RetryPolicy {
  return {retries, delay: retry_delay * 1000, maxDelay: 10_000, deadline: retry_deadline * 1000};
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, {signal});
  } catch {
    throw aborted(signal);
  }
}
