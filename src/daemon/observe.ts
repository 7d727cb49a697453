import type {Logger} from 'pino';
import type {Handled} from '../api/server.ts';
import {CellarError} from '../core/errors.ts';
import type {Emit, Event} from '../core/events.ts';
import type {Passed} from '../facade/server.ts';
import type {Shown} from '../facade/show.ts';

/** Two who are told the same. */
export const both =
  <Told>(one: (told: Told) => void, other: (told: Told) => void) =>
  (told: Told): void => {
    one(told);
    other(told);
  };

type Level = 'debug' | 'info' | 'warn' | 'error';

/** The one place where events become log lines: the event's fields as JSON, and a sentence. */
export function observe(log: Logger): Emit {
  return event => {
    const {level, text} = describe(event);
    const {type, ...fields} = event;
    if (level !== undefined) log[level]({event: type, ...plain(fields)}, text);
  };
}

/** How grave it is, and in words. */
export function describe(event: Event): {level: Level | undefined; text: string} {
  switch (event.type) {
    case 'disk-ready':
      return {level: 'debug', text: `the disk ${event.pool}/${event.name} is ready: ${event.outcome}`};
    case 'disk-failed':
      return {level: 'debug', text: `the disk ${event.pool}/${event.name} was not made: ${event.error.message}`};
    case 'fill-waited':
      return {level: 'debug', text: `the wait for the fill of image ${event.image} has ended: ${event.outcome}`};
    case 'copy-verified':
      return {level: 'debug', text: `the copy ${event.name} was read back: ${event.result}`};
    case 'fill-started':
      return {level: 'info', text: `filling image ${event.image}`};
    case 'fill-progress':
    case 'cache-surveyed':
    case 'janitor-done':
      return {level: undefined, text: ''};
    case 'fill-published':
      return {level: 'info', text: `image ${event.image} is in the cell's cache`};
    case 'fill-failed':
      return {level: 'warn', text: `the fill of image ${event.image} failed: ${event.error.message}`};
    case 'fill-waiting':
      return {level: 'debug', text: `waiting for the fill of image ${event.image} by ${event.holder}`};
    case 'copy-removed':
      return {level: 'info', text: `the copy ${event.name} was removed: ${event.why}`};
    case 'copy-kept':
      return {level: 'warn', text: `the copy ${event.name} could not be removed: ${event.error.message}`};
    case 'disk-kept':
      return {
        level: 'warn',
        text: `the unfinished disk ${event.pool}/${event.name} could not be removed: ${event.error.message}`,
      };
    case 'disk-repaired':
      return {level: 'warn', text: `the unfinished disk ${event.pool}/${event.name} was removed: ${event.why}`};
    case 'copy-retired':
      return {
        level: event.quarantined ? 'error' : 'info',
        text: `the copy ${event.name} is not cloned any more: ${event.why}`,
      };
    case 'janitor-failed':
      return {level: 'warn', text: `the janitor could not finish ${event.step}: ${event.error.message}`};
    case 'base-file-removed':
      return {level: 'info', text: `the local copy ${event.path} of the cached image ${event.image} was removed`};
    case 'base-file-kept':
      return {
        level: 'info',
        text: `the local copy ${event.path} of the cached image ${event.image} stays: ${event.why}`,
      };
    case 'base-files-failed':
      return {level: 'warn', text: `local copies of cached images were not looked for: ${event.error.message}`};
    case 'lease-lost':
      return {level: 'warn', text: `the lease ${event.name} was lost`};
    case 'offer-failed':
      return {
        level: 'warn',
        text: `no copy of image ${event.image} was offered to Nova, which goes its own way: ${event.error.message}`,
      };
  }
}

/** A line per request, when its answer is out. Server faults are errors, refusals are not. */
export function observeRequests(log: Logger): (handled: Handled) => void {
  return ({requestId, method, path, status, ms, error}) => {
    const fields = {requestId, method, path, status, ms: tenths(ms), ...(error && plain({error}))};
    const text = error === undefined ? `${method} ${path}` : `${method} ${path}: ${error.message}`;
    const level: Level = status >= 500 ? 'error' : status >= 400 ? 'warn' : method === 'GET' ? 'debug' : 'info';
    log[level](fields, text);
  };
}

/** A line for each image that Nova asked for, with what it was told; all else that passed is for debugging. */
export function observeFacade(log: Logger) {
  return {
    onShown: ({image, offered, why, reason, held, requestId}: Shown) => {
      const text =
        offered === undefined ? `image ${image} is shown as it is: ${why}` : `image ${image} is shown with ${offered}`;
      log.info({image, offered, why, reason, heldMs: tenths(held), requestId}, text);
    },
    onPassed: ({method, path, status, ms, error}: Passed) => {
      const fields = {method, path, status, ms: tenths(ms), ...(error && plain({error}))};
      // that a caller leaves is no fault of anybody's
      if (error === undefined || error.kind === 'cancelled') log.debug(fields, `facade: ${method} ${path}`);
      else log.warn(fields, `facade: ${error.message}`);
    },
  };
}

const tenths = (ms: number): number => Math.round(ms * 10) / 10;

/** Errors as kind, message, hint and the messages of their causes: a cause itself may hold a request. A stack only for what is a bug of ours. */
function plain(fields: Record<string, unknown>): Record<string, unknown> {
  const {error} = fields;
  if (!(error instanceof Error)) return fields;
  const kind = error instanceof CellarError ? {kind: error.kind, ...(error.hint && {hint: error.hint})} : {};
  const bug =
    error instanceof CellarError && error.kind === 'internal' && error.cause instanceof Error
      ? {stack: error.cause.stack}
      : {};
  return {...fields, error: {...kind, message: error.message, causes: causesOf(error), ...bug}};
}

function causesOf(error: Error): string[] {
  const causes: string[] = [];
  for (let cause = error.cause; cause instanceof Error && causes.length < 5; cause = cause.cause)
    causes.push(cause.message);
  return causes;
}
