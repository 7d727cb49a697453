import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {asCellarError, CellarError} from '../core/errors.ts';
import type {Emit} from '../core/events.ts';
import {baseName, isCode, lstatIfThere, unfinishedNames} from './file.ts';
import {type Outcome, type SweepOptions, sweep} from './sweep.ts';

export type BaseFilesOptions = Omit<SweepOptions, 'settle' | 'prompt'> & {
  emit: Emit;
  /** ms between two looks when nothing happens. */
  interval?: number;
  /** See `sweep`; also how soon a file is looked at again that was kept for a reason that passes. */
  settle?: number;
  prompt?: number;
};

/** Nova's local copies of images that the cell has a copy of, taken away for as long as the agent runs. */
export class BaseFiles {
  readonly #options: Required<BaseFilesOptions>;
  /** Why a file was kept when it was looked at last, by its path: told once, not every minute. */
  #told = new Map<string, string>();
  #failure: string | undefined;
  #wake = new AbortController();

  constructor(options: BaseFilesOptions) {
    this.#options = {interval: 60_000, settle: 5000, prompt: 1000, ...options};
  }

  /** One round over all images of the cache. Never fails: what went wrong is an event, once. */
  async sweep(signal: AbortSignal): Promise<Outcome[]> {
    try {
      const outcomes = await sweep(this.#options, signal);
      this.#tell(outcomes);
      this.#failure = undefined;
      return outcomes;
    } catch (thrown) {
      if (!signal.aborted) this.#tellFailure(withHint(thrown));
      return [];
    }
  }

  /** Nova has just read this image, or the cell has just got its copy: if there is a base file of it, or will be, a round begins. */
  async consider(image: string): Promise<void> {
    const {instancesPath, subdirectory} = this.#options;
    const name = baseName(image);
    for (const one of [name, ...unfinishedNames(name)]) {
      const there = await lstatIfThere(join(instancesPath, subdirectory, one)).catch(() => undefined);
      if (there !== undefined) return this.#wake.abort();
    }
  }

  /** Rounds at once, then every `interval` and whenever there is something to consider, until the signal aborts. Never fails. */
  async keepSweeping(signal: AbortSignal): Promise<void> {
    const {interval, settle} = this.#options;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const outcomes = await this.sweep(signal);
      const soon = outcomes.some(one => one.outcome === 'kept' && one.soon);
      const either = AbortSignal.any([signal, this.#wake.signal]);
      await sleep(soon ? settle : interval, undefined, {signal: either}).catch(() => {});
    }
  }

  #tell(outcomes: Outcome[]): void {
    const {emit} = this.#options;
    const told = new Map<string, string>();
    for (const {image, path, ...rest} of outcomes) {
      if (rest.outcome === 'removed') emit({type: 'base-file-removed', image, path, bytes: rest.bytes});
      else {
        told.set(path, rest.why);
        if (!rest.soon && this.#told.get(path) !== rest.why) emit({type: 'base-file-kept', image, path, why: rest.why});
      }
    }
    this.#told = told;
  }

  #tellFailure(error: CellarError): void {
    if (this.#failure === error.message) return;
    this.#failure = error.message;
    this.#options.emit({type: 'base-files-failed', error});
  }
}

function withHint(thrown: unknown): CellarError {
  if (!isCode(thrown, 'EACCES', 'EPERM', 'EROFS')) return asCellarError(thrown);
  return new CellarError('forbidden', `local base files cannot be removed: ${(thrown as Error).message}`, {
    hint: 'run cellar-agent as root or with CAP_LEASE, CAP_CHOWN and CAP_DAC_OVERRIDE, or set [facade] remove_base_files = false',
    cause: thrown,
  });
}
