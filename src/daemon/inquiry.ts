/** Asks partners how they are when nobody else does, so that what is told of them is of now. */
import {setTimeout as sleep} from 'node:timers/promises';
import {CellarError} from '../core/errors.ts';
import type {Cell} from '../core/ports.ts';
import {abortable} from '../core/single-flight.ts';
import {type Health, type Part, parts} from './health.ts';

/** One cheap question for each partner that the agent has. Fails as the partner's calls do; the signal may come to nothing. */
export type Questions = {[P in Part]?: (signal: AbortSignal) => Promise<unknown>};

/** ms. `again`: between two looks, and so between two questions to a partner that is down. `quiet`: an answer that is older is asked for anew. */
export type Pace = {again: number; deadline: number; quiet: Record<Part, number>};

/**
 * Ceph is the cell's own, and every janitor_interval it is asked anyway. Glance and Keystone are there for many cells: a host on which
 * nothing happens may not cost them more than a token does.
 */
const pace: Pace = {
  again: 30_000,
  deadline: 10_000,
  quiet: {ceph: 300_000, glance: 3_600_000, keystone: 3_600_000},
};

/**
 * Until the signal aborts, and not longer: who was found down is asked again, and who was not asked lately, or never. A question that
 * nothing ends is asked once, and tells as long as it lasts that the partner is down. Never fails.
 */
export async function keepAsking(
  health: Health,
  questions: Questions,
  signal: AbortSignal,
  {again, deadline, quiet}: Pace = pace,
): Promise<void> {
  const open = new Map<Part, Promise<unknown>>();
  const isDue = (part: Part) => health.of(part).state === 'down' || health.age(part) >= quiet[part];
  while (!signal.aborted) {
    // hosts that lost the same partner at the same time do not ask at the same time
    await sleep(again * (0.75 + Math.random() / 4), undefined, {signal}).catch(() => {});
    if (signal.aborted) return;
    await Promise.all(parts.filter(isDue).map(part => ask(part, AbortSignal.timeout(deadline))));
  }

  async function ask(part: Part, late: AbortSignal): Promise<void> {
    const question = questions[part];
    if (question === undefined) return;
    const either = AbortSignal.any([signal, late]);
    try {
      await abortable(open.get(part) ?? begin(part, question(either)), either);
      health.note(part);
    } catch (error) {
      if (!signal.aborted) health.note(part, late.aborted ? silence(deadline) : error);
    }
  }

  function begin<V>(part: Part, answer: Promise<V>): Promise<V> {
    open.set(part, answer);
    const end = () => void open.delete(part);
    answer.then(end, end);
    return answer;
  }
}

const silence = (ms: number) => new CellarError('timeout', `no answer within ${ms / 1000} s`);

/** No image has this id. */
const nothing = '00000000-0000-0000-0000-000000000000';

/** A look at the index and at a lease: one read each, over either of the two connections. */
export const askCeph =
  ({index, leases}: Pick<Cell, 'index' | 'leases'>) =>
  (signal: AbortSignal) =>
    Promise.all([index.get(nothing, signal), leases.holder('cellar.janitor', signal)]);
