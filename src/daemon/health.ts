import type {PartState} from '../api/agent.ts';
import {asCellarError, type ErrorKind} from '../core/errors.ts';
import type {Cell} from '../core/ports.ts';

export const parts = ['ceph', 'glance', 'keystone'] as const;

export type Part = (typeof parts)[number];

/** `asked`: ISO time at which it answered last, or was found down. */
export type PartHealth = {state: PartState; asked?: string; why?: string};

/** Kinds that say the partner is down, as opposed to an answer that says no. */
const down: ReadonlySet<ErrorKind> = new Set(['unavailable', 'timeout', 'config']);

/** How each partner answered last: remembered from the calls that are made anyway, and from those of `keepAsking`. */
export class Health {
  readonly #parts = new Map<Part, {at: number; why?: string}>();
  readonly #now: () => number;

  /** `now` in ms since 1970. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  of(part: Part): PartHealth {
    const last = this.#parts.get(part);
    if (last === undefined) return {state: 'unknown'};
    const asked = new Date(last.at).toISOString();
    return last.why === undefined ? {state: 'up', asked} : {state: 'down', asked, why: last.why};
  }

  /** ms since the last answer, or since it was found down; Infinity before the first. */
  age(part: Part): number {
    const at = this.#parts.get(part)?.at;
    return at === undefined ? Number.POSITIVE_INFINITY : Math.max(0, this.#now() - at);
  }

  /** A call has ended; `error`: it failed with this. */
  note(part: Part, error?: unknown): void {
    const at = this.#now();
    if (error === undefined) return void this.#parts.set(part, {at});
    const {kind, message} = asCellarError(error);
    if (down.has(kind)) this.#parts.set(part, {at, why: message});
    else if (kind !== 'cancelled' && kind !== 'internal') this.#parts.set(part, {at});
  }

  /** The partner as an object whose calls are remembered. Methods only: fields are passed through. */
  watch<T extends object>(part: Part, partner: T): T {
    return new Proxy(partner, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => this.#remember(part, value.apply(target, args));
      },
    });
  }

  #remember(part: Part, answer: unknown): unknown {
    if (answer instanceof Promise) {
      answer.then(
        () => this.note(part),
        (error: unknown) => this.note(part, error ?? new Error('failed')),
      );
    }
    return answer;
  }
}

/** The cell with every call of the core remembered, whichever port it is of. */
export function watchCell<C extends Cell>(cell: C, health: Health): C {
  const {disks, trash, copies, index, usage, leases, intents} = cell;
  return {
    ...cell,
    disks: health.watch('ceph', disks),
    trash: health.watch('ceph', trash),
    copies: health.watch('ceph', copies),
    index: health.watch('ceph', index),
    usage: health.watch('ceph', usage),
    leases: health.watch('ceph', leases),
    intents: health.watch('ceph', intents),
  };
}
