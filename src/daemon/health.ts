import type {PartState} from '../api/agent.ts';
import {asCellarError, type ErrorKind} from '../core/errors.ts';

export type Part = 'ceph' | 'glance' | 'keystone';

export type PartHealth = {state: PartState; why?: string};

/** Kinds that say the partner is down, as opposed to an answer that says no. */
const down: ReadonlySet<ErrorKind> = new Set(['unavailable', 'timeout', 'config']);

/** How each partner answered last: remembered from the calls that are made anyway, asked of nobody. */
export class Health {
  readonly #parts = new Map<Part, PartHealth>();

  of(part: Part): PartHealth {
    return this.#parts.get(part) ?? {state: 'unknown'};
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
        () => this.#parts.set(part, {state: 'up'}),
        (error: unknown) => {
          const {kind, message} = asCellarError(error);
          if (down.has(kind)) this.#parts.set(part, {state: 'down', why: message});
          else if (kind !== 'cancelled' && kind !== 'internal') this.#parts.set(part, {state: 'up'});
        },
      );
    }
    return answer;
  }
}
