/** Roads that are compared run in turns, so that what else the machine does meets all of them alike. */
import {halt} from '../test/lab/run.ts';

export type Samples<Name extends string = string> = Record<Name, number[]>;

/**
 * Walks every road once in each round, each time beginning with another one: none has the same neighbour's warm caches
 * for ever. A road resolves the number it measured; what it does before and after the measuring is its own affair.
 */
export async function interleaved<Name extends string>(
  rounds: number,
  roads: Record<Name, (round: number) => Promise<number>>,
  onRound: (round: number) => void = () => {},
): Promise<Samples<Name>> {
  const names = Object.keys(roads) as Name[];
  const samples = Object.fromEntries(names.map(name => [name, []])) as unknown as Samples<Name>;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      halt.signal.throwIfAborted();
      const name = names[(round + turn) % names.length] as Name;
      samples[name].push(await roads[name](round));
    }
    onRound(round);
  }
  return samples;
}

/** Milliseconds that something takes, and what it resolves. */
export async function timed<T>(act: () => Promise<T>): Promise<{ms: number; value: T}> {
  const begin = performance.now();
  const value = await act();
  return {ms: performance.now() - begin, value};
}

/** Does `act` with every item, `limit` at a time. The first failure ends it, after those in flight. */
export async function inFlight<T>(
  items: readonly T[],
  limit: number,
  act: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) {
      halt.signal.throwIfAborted();
      await act(item);
    }
  };
  const workers = await Promise.allSettled(Array.from({length: limit}, worker));
  for (const one of workers) if (one.status === 'rejected') throw one.reason;
}
