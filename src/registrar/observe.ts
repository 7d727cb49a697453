/** What cellar-registrar does: a line of its log for each change, and for each request that was refused; and counted. */
import type {Logger} from 'pino';
import type {CellarError} from '../core/errors.ts';
import {meterChanges, meterHandled, type RegistrarMeters} from './metrics.ts';
import type {Change} from './registrar.ts';
import type {Handled, RegistrarServerOptions} from './server.ts';

/** Log and metrics are told the same. */
export function observeRequests(
  log: Logger,
  meters: RegistrarMeters,
): Pick<RegistrarServerOptions, 'onChange' | 'onHandled'> {
  const [logChange, countChange] = [logChanges(log), meterChanges(meters)];
  const [logHandled, countHandled] = [logRequests(log), meterHandled(meters)];
  return {
    onChange: (change, by) => {
      logChange(change, by);
      if (change.outcome === undefined) countChange(change);
    },
    onHandled: handled => {
      logHandled(handled);
      countHandled(handled);
    },
  };
}

function logChanges(log: Logger): (change: Change, by: Handled) => void {
  return ({action, host, node, uuid, cell, outcome}, {by, peer, requestId}) => {
    const what = {event: action, ...(outcome !== undefined && {outcome}), host, node, uuid};
    const line = {audit: true, ...what, cell: cell.name, cellUuid: cell.uuid, by, peer, requestId};
    if (outcome === undefined) log.info(line, said[action]);
    else log.warn(line, `nobody knows whether ${said[action]}`);
  };
}

const said: Record<Change['action'], string> = {
  'host-mapped': 'a host was mapped to its cell',
  'service-disabled': "a host's nova-compute was disabled: its cell is a staging cell",
};

function logRequests(log: Logger): (handled: Handled) => void {
  return ({error, ms, ...fields}) => {
    const line = {event: 'request', ...fields, ms: Math.round(ms)};
    if (error === undefined) return log.debug(line, 'answered');
    const {kind, message} = error;
    const {message: cause, hint} = (error.cause ?? {}) as Partial<CellarError>;
    const level = kind === 'internal' ? 'error' : kind === 'cancelled' ? 'debug' : 'warn';
    log[level]({...line, kind, ...(cause !== undefined && {cause}), ...(hint !== undefined && {hint})}, message);
  };
}
