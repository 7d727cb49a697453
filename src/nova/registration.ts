/** How this host gets into its cell while the agent runs: tried until it is done, then a sign of life now and then. */
import {setTimeout as sleep} from 'node:timers/promises';
import {asCellarError, type CellarError} from '../core/errors.ts';
import type {RegistrationStatus} from '../core/registration.ts';
import type {Cell} from './cells.ts';
import type {Recorded} from './register.ts';

/** off: not asked for. record: the compute node only. conductor: the host mapping too, through the cell's conductor. registrar: through a registrar. */
export type Road = 'off' | 'record' | 'conductor' | 'registrar';

/** A cell as far as it is told of. */
export type NamedCell = Pick<Cell, 'name' | 'uuid'>;

export type RegistrationEvent =
  | {type: 'registration-changed'; status: RegistrationStatus}
  | {type: 'host-registered'; recorded: Recorded}
  | {type: 'host-mapped'; outcome: 'created' | 'existing'; cell: NamedCell}
  | {type: 'heartbeat-failed'; error: CellarError}
  | {type: 'heartbeat-back'};

export type RegistrationSteps<C extends NamedCell = Cell> = {
  /** Fails when this host must not register: its Ceph is not its cell's. */
  check(signal: AbortSignal): Promise<void>;
  /** Which cell it is, and that nothing speaks against mapping the host to it. Without it, nothing is mapped. */
  findCell?: (signal: AbortSignal) => Promise<C>;
  register(signal: AbortSignal): Promise<Recorded>;
  map?: (recorded: Recorded, cell: C, signal: AbortSignal) => Promise<'created' | 'existing'>;
  beat(signal: AbortSignal): Promise<void>;
};

/** Milliseconds. */
export type RegistrationTimes = {
  /** Between two signs of life. */
  report: number;
  /** The first pause after a failure; it doubles up to `maxRetry`. */
  retry: number;
  maxRetry: number;
  /** For one attempt in all. */
  attempt: number;
};

export const registrationTimes = {retry: 1000, maxRetry: 60_000, attempt: 120_000};

/** An operator must act: trying again soon would only ask the same of a busy conductor. */
const decided = new Set(['config', 'conflict', 'forbidden', 'unauthorized']);

export class Registration<C extends NamedCell = Cell> {
  readonly #steps: RegistrationSteps<C>;
  readonly #times: RegistrationTimes;
  readonly #emit: (event: RegistrationEvent) => void;
  #status: RegistrationStatus = {state: 'waiting', why: 'it has not been tried yet'};

  constructor(steps: RegistrationSteps<C>, times: RegistrationTimes, emit: (event: RegistrationEvent) => void) {
    this.#steps = steps;
    this.#times = times;
    this.#emit = emit;
  }

  get status(): RegistrationStatus {
    return this.#status;
  }

  /** Until the signal aborts. Never fails. What was written stays: a restarted agent finds it. */
  async keep(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      const error = await this.#attempt(signal);
      if (error === undefined) break;
      failures += 1;
      const {retry, maxRetry} = this.#times;
      const pause = decided.has(error.kind) ? maxRetry : Math.min(maxRetry, retry * 2 ** Math.min(failures - 1, 20));
      await rest(pause * (0.5 + Math.random() / 2), signal);
    }
    await this.#keepBeating(signal);
  }

  /** One attempt; why it did not come to its end. */
  async #attempt(signal: AbortSignal): Promise<CellarError | undefined> {
    const {check, findCell, register, map, beat} = this.#steps;
    const soon = AbortSignal.any([signal, AbortSignal.timeout(this.#times.attempt)]);
    let done: RegistrationStatus = {state: 'waiting'};
    try {
      await check(soon);
      const cell = await findCell?.(soon);
      const recorded = await register(soon);
      const {uuid, hypervisor_hostname: name} = recorded.node;
      done = {state: 'registered', node: {name: name ?? '', uuid}};
      this.#emit({type: 'host-registered', recorded});
      if (map !== undefined && cell !== undefined) {
        const outcome = await map(recorded, cell, soon);
        done = {...done, state: 'mapped', cell: {name: cell.name, uuid: cell.uuid}};
        this.#emit({type: 'host-mapped', outcome, cell});
      }
      this.#become(done);
      await beat(soon);
      return undefined;
    } catch (thrown) {
      const error = asCellarError(thrown);
      if (signal.aborted) return error;
      const state = decided.has(error.kind) ? 'refused' : done.state;
      this.#become({...done, state, why: error.message, ...(error.hint !== undefined && {hint: error.hint})});
      return error;
    }
  }

  async #keepBeating(signal: AbortSignal): Promise<void> {
    const {report} = this.#times;
    const {why: _why, hint: _hint, ...well} = this.#status;
    for (let failing = false; !signal.aborted; ) {
      await rest(report, signal);
      if (signal.aborted) return;
      try {
        await this.#steps.beat(AbortSignal.any([signal, AbortSignal.timeout(Math.max(report, 10_000))]));
        if (failing) this.#emit({type: 'heartbeat-back'});
        failing = false;
        this.#status = well;
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asCellarError(thrown);
        if (!failing) this.#emit({type: 'heartbeat-failed', error});
        failing = true;
        this.#status = {...well, why: `its signs of life do not get through: ${error.message}`};
      }
    }
  }

  /** Told once for each change, not for each attempt. */
  #become(status: RegistrationStatus): void {
    const before = this.#status;
    this.#status = status;
    if (before.state !== status.state || before.why !== status.why) this.#emit({type: 'registration-changed', status});
  }
}

const rest = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, {signal}).catch(() => {});
