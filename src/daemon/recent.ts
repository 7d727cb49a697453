import type {Event} from '../core/events.ts';
import {describe} from './observe.ts';
import {requestIdNow} from './trace.ts';

/** Something that went wrong, as the log has it. */
export type Mishap = {at: string; message: string; requestId?: string};

const most = 5;

/** The last things that went wrong on this host, for who looks at it without the log. */
export class Recent {
  readonly #mishaps: Mishap[] = [];

  /** Newest first. */
  get mishaps(): Mishap[] {
    return this.#mishaps.toReversed();
  }

  note(event: Event): void {
    const {level, text} = describe(event);
    if (level !== 'warn' && level !== 'error') return;
    const requestId = requestIdNow();
    this.#mishaps.push({at: new Date().toISOString(), message: text, ...(requestId !== undefined && {requestId})});
    if (this.#mishaps.length > most) this.#mishaps.shift();
  }
}
