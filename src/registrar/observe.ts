/** cellar-registrar's log: a line for each change, and for each request that was refused. */
import type {Logger} from 'pino';
import type {CellarError} from '../core/errors.ts';
import type {Change} from './registrar.ts';
import type {Handled} from './server.ts';

export function observeChanges(log: Logger): (change: Change, by: Handled) => void {
  return ({action, host, node, uuid, cell}, {by, peer, requestId}) => {
    log.info(
      {audit: true, event: action, host, node, uuid, cell: cell.name, cellUuid: cell.uuid, by, peer, requestId},
      said[action],
    );
  };
}

const said: Record<Change['action'], string> = {
  'host-mapped': 'a host was mapped to its cell',
  'service-disabled': "a host's nova-compute was disabled: its cell is a staging cell",
};

export function observeHandled(log: Logger): (handled: Handled) => void {
  return ({error, ms, ...fields}) => {
    const line = {event: 'request', ...fields, ms: Math.round(ms)};
    if (error === undefined) return log.debug(line, 'answered');
    const {kind, message} = error;
    const cause = (error.cause as CellarError | undefined)?.message;
    const level = kind === 'internal' ? 'error' : kind === 'cancelled' ? 'debug' : 'warn';
    log[level]({...line, kind, ...(cause !== undefined && {cause})}, message);
  };
}
