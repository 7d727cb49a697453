/** Carrying out the steps of a move: look, do the next one, look again. */
import {CellarError} from '../core/errors.ts';
import {nextStep, planMove} from './move.ts';
import type {MoveFacts, MoveGoal} from './move-facts.ts';
import type {Step, StepName} from './move-steps.ts';

/** What a step does. Every one may be done twice. `left`: it was not done, as it is not to be done any more. */
export type MoveActs = Record<
  Exclude<StepName, 'empty' | 'stop' | 'unmap' | 'arrive'>,
  (facts: MoveFacts, signal: AbortSignal) => Promise<unknown>
>;

export type MoveIo = {
  facts(signal: AbortSignal): Promise<MoveFacts>;
  acts: MoveActs;
  /** Told of each step when it was done. */
  onDone?: (step: Step) => void;
};

/** How often one step is done that Nova does not show as done. */
const patience = 3;

/**
 * Until nothing is left to do; answers the facts it ended with. `conflict` at a step that somebody else must do first: run it
 * again then. Nothing is done before the host is seen to be empty but the note and the disabling.
 */
export async function carryOut(goal: MoveGoal, {facts, acts, onDone}: MoveIo, signal: AbortSignal): Promise<MoveFacts> {
  const done = new Map<StepName, number>();
  for (;;) {
    const now = await facts(signal);
    const step = nextStep(planMove(now, goal));
    if (step === undefined) return now;
    if (step.state === 'blocked' || !hasAct(acts, step.name)) throw blocked(step, now.host);
    const times = (done.get(step.name) ?? 0) + 1;
    if (times > patience) throw stuck(step, now.host);
    done.set(step.name, times);
    if ((await acts[step.name](now, signal)) !== 'left') onDone?.(step);
  }
}

const hasAct = (acts: MoveActs, name: StepName): name is keyof MoveActs => Object.hasOwn(acts, name);

const blocked = ({what, why, mend}: Step, host: string) =>
  new CellarError('conflict', why ?? `this is not so yet: ${what}`, {
    hint: `${mend ?? 'wait'}; then run this again`,
    object: host,
  });

const stuck = ({what}: Step, host: string) =>
  new CellarError('unavailable', `this was done ${patience} times, and Nova does not show it: ${what}`, {
    hint: 'run this again; see the log of nova-api',
    object: host,
  });
