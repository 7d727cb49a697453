import {setTimeout as sleep} from 'node:timers/promises';

export type WatchdogOptions = {
  /** ms within which the manager wants each sign of life. */
  interval: number;
  /**
   * Resolves why the service is not alive; undefined: it is. Must not fail, and has less than half of the interval: as long as it
   * has not answered there is no sign of life.
   */
  probe(): Promise<string | undefined>;
  alive(): void;
  /** Told when a sign of life is withheld, with the reason. */
  onWithheld(why: string): void;
};

/**
 * A sign of life twice in each interval, as long as the probe finds the service alive: that the timer fires only shows that the event
 * loop turns. Ends with the signal. Never fails.
 */
export async function keepWatched(options: WatchdogOptions, signal: AbortSignal): Promise<void> {
  const {interval, probe, alive, onWithheld} = options;
  while (!signal.aborted) {
    const why = await probe();
    if (why === undefined) alive();
    else onWithheld(why);
    await sleep(interval / 2, undefined, {signal, ref: false}).catch(() => {});
  }
}
