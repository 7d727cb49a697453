import type {NativeBinding} from '../rbd/native.ts';

export type AliveOptions = Pick<NativeBinding, 'ping' | 'counters' | 'threadLimit'> & {
  /** ms that an answer of the addon's threads may take. */
  patience: number;
  /** ms that all of the threads may be at calls to a cluster. */
  longestCall?: number;
};

/** ms. Calls have deadlines, but one may be of many requests to the cluster: removing an image with all its objects. */
const quarterOfAnHour = 900_000;

/**
 * Whether the addon works: a thread of its own must take a message and bring the answer back to the event loop. All threads being at
 * calls to a cluster that is down is no reason to end the agent, which then says so to its callers; that none comes free within
 * `longestCall` is. Resolves why it is not alive, or undefined.
 */
export function addonProbe(options: AliveOptions): () => Promise<string | undefined> {
  const {ping, counters, threadLimit, patience, longestCall = quarterOfAnHour} = options;
  let pending: {answer: Promise<void>; since: number} | undefined;
  return async () => {
    pending ??= {answer: ping(), since: performance.now()};
    const {answer, since} = pending;
    if (await within(patience, answer)) {
      pending = undefined;
      return undefined;
    }
    const waited = performance.now() - since;
    if (counters().running >= threadLimit && waited < longestCall) return undefined;
    return `the addon's threads have not answered for ${Math.round(waited / 1000)} s`;
  };
}

function within(ms: number, answer: Promise<void>): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(false), ms);
    answer.then(
      () => {
        clearTimeout(timer);
        resolve(true);
      },
      () => {}, // an addon that is being torn down never answers
    );
  });
}
