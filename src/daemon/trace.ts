/** Which request a piece of work is done for: known wherever that work leads, without being handed on. */
import {AsyncLocalStorage} from 'node:async_hooks';

const storage = new AsyncLocalStorage<string>();

/** The work, and all that it begins, under this request's id. */
export const traced = <V>(requestId: string, work: () => V): V => storage.run(requestId, work);

/** The id of the request that is being worked on; undefined for what the agent does of itself. */
export const requestIdNow = (): string | undefined => storage.getStore();

/** For every line of the log. */
export function traceFields(): {requestId?: string} {
  const requestId = requestIdNow();
  return requestId === undefined ? {} : {requestId};
}
