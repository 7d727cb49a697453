/** A call that waits for its answer: its deadline, its end, and what was said about it so far. */
import {randomUUID} from 'node:crypto';
import {asCellarError, CellarError} from '../core/errors.ts';
import type {Reply} from './envelope.ts';
import type {Link} from './link.ts';
import {RemoteError, readFailure} from './remote-error.ts';

export type PendingOptions = {
  /** For messages: what was called where. */
  what: string;
  /** Milliseconds. */
  timeout: number;
  /** Milliseconds between two signs of life of the server. */
  monitor: number | undefined;
  idempotent: boolean;
  signal: AbortSignal;
  /** Once, whatever the end. */
  onEnd(): void;
};

export class Pending {
  readonly id = randomUUID().replaceAll('-', '');
  readonly what: string;
  readonly idempotent: boolean;
  readonly monitor: number | undefined;
  readonly result: Promise<unknown>;
  /** Aborts when the call has ended, in whatever way. */
  readonly ended = new AbortController();
  /** The connection its message went over, once the broker has it. */
  link: Link | undefined;
  /** The connection its message is being handed over by. */
  handing: Link | undefined;
  /** The broker may have had the message, over any connection. */
  sent = false;
  /** Why the last broker that was there did not take it. */
  refusal: CellarError | undefined;
  readonly #options: PendingOptions;
  readonly #started = performance.now();
  readonly #deadline: NodeJS.Timeout;
  readonly #seen = new Set<string>();
  #silence: NodeJS.Timeout | undefined;
  #result: unknown = null;
  #resolve: (value: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** `explain` says why nothing was sent, where that is so. */
  constructor(options: PendingOptions, explain: () => CellarError | undefined) {
    this.#options = options;
    this.what = options.what;
    this.idempotent = options.idempotent;
    this.monitor = options.monitor;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#deadline = setTimeout(() => this.fail(this.#overdue(explain())), options.timeout);
    options.signal.addEventListener('abort', this.#cancel);
  }

  /** Milliseconds to its deadline. */
  get left(): number {
    return this.#options.timeout - (performance.now() - this.#started);
  }

  /** The broker has the message. */
  confirmed(link: Link): void {
    this.link = link;
    this.#listen();
  }

  /** What is to be said of it when it fails now. */
  get doubt(): string {
    return this.sent && !this.idempotent ? `; ${unknown}` : '';
  }

  /** False for a message that was seen before. */
  answered({uniqueId, result, failure, ending}: Reply): boolean {
    if (uniqueId !== undefined) {
      if (this.#seen.has(uniqueId)) return false;
      if (this.#seen.size >= 64) this.#seen.clear();
      this.#seen.add(uniqueId);
    }
    if (result !== null) this.#result = result;
    if (failure !== undefined) this.fail(new RemoteError(this.what, readFailure(failure)));
    else if (ending) this.#end(() => this.#resolve(this.#result));
    else this.#listen();
    return true;
  }

  fail(error: unknown): void {
    this.#end(() => this.#reject(error));
  }

  /** The server promised signs of life. */
  #listen(): void {
    const {monitor} = this.#options;
    if (monitor === undefined || this.ended.signal.aborted) return;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.fail(this.#unanswered(`no sign of life for ${seconds(monitor)}`)), monitor);
  }

  #overdue(failure: CellarError | undefined): CellarError {
    const {timeout} = this.#options;
    if (this.handing)
      return new CellarError(
        'unavailable',
        `${this.what}: RabbitMQ did not take it within ${seconds(timeout)}${this.doubt}`,
      );
    if (this.sent) return this.#unanswered(`no answer within ${seconds(timeout)}`);
    if (this.refusal && failure === undefined) return this.refusal;
    if (failure === undefined) return new CellarError('timeout', `${this.what}: not sent within ${seconds(timeout)}`);
    return unsent(this.what, failure);
  }

  #unanswered(why: string): CellarError {
    return new CellarError('timeout', `${this.what}: ${why}${this.doubt}`, {
      hint: 'check that nova-conductor of the cell runs and reaches its database',
    });
  }

  readonly #cancel = () => {
    const {kind} = asCellarError(this.#options.signal.reason);
    const late = kind === 'timeout' ? 'the deadline passed' : 'cancelled';
    this.fail(new CellarError(kind, `${this.what}: ${late}${this.doubt}`, {cause: this.#options.signal.reason}));
  };

  #end(settle: () => void): void {
    if (this.ended.signal.aborted) return;
    clearTimeout(this.#deadline);
    clearTimeout(this.#silence);
    this.#options.signal.removeEventListener('abort', this.#cancel);
    this.ended.abort();
    this.#options.onEnd();
    settle();
  }
}

/** Nothing was sent, because there is no connection. */
export const unsent = (what: string, failure: CellarError): CellarError =>
  new CellarError(failure.kind, `${what}: ${failure.message}`, {
    cause: failure,
    ...(failure.hint === undefined ? {} : {hint: failure.hint}),
  });

/** The server acknowledges a message before it begins: nobody can tell what became of it. */
export const unknown = 'it may or may not have been done';

const seconds = (milliseconds: number) => `${Number((milliseconds / 1000).toFixed(1))} s`;
