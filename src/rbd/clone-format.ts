import {abortable} from '../core/single-flight.ts';
import type {Connection} from './connection.ts';
import {fromRbd} from './errors.ts';

/** The clone format to use: settled once per agent. */
export type CloneFormat = (signal: AbortSignal) => Promise<1 | 2>;

/** Releases that can open clones of format 2; the cluster says which is the oldest it lets in. */
const first = 'mimic';

/**
 * 1 and 2 are taken as configured. `auto` does as librbd does: format 2 once the cluster lets nobody older than mimic in
 * (a fresh 16.2 cluster says luminous, so format 1), and always passes it on, so that what was checked is what is done.
 */
export function cloneFormat(configured: 'auto' | '1' | '2', connection: Connection): CloneFormat {
  if (configured !== 'auto') return async () => (configured === '1' ? 1 : 2);
  const shared = new AbortController().signal; // the first to ask may leave; the others wait on
  let known: Promise<1 | 2> | undefined;
  return signal => {
    known ??= ask(connection, shared).catch(error => {
      known = undefined;
      throw error;
    });
    return abortable(known, signal);
  };
}

async function ask(connection: Connection, signal: AbortSignal): Promise<1 | 2> {
  const cluster = await connection.cluster(signal);
  try {
    const {output} = await cluster.monCommand(JSON.stringify({prefix: 'osd get-require-min-compat-client'}));
    return output.toString().trim() >= first ? 2 : 1; // release names are in alphabetical order
  } catch (error) {
    throw fromRbd(error);
  }
}
