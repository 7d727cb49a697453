/** What happens while this host gets into its cell, as log lines. */
import type {Logger} from 'pino';
import type {RegistrationEvent} from '../nova/registration.ts';
import type {EmitBusEvent} from '../oslo/events.ts';

export function observeRegistration(log: Logger): (event: RegistrationEvent) => void {
  return event => {
    switch (event.type) {
      case 'registration-changed': {
        const {state, why, hint, node, cell} = event.status;
        const fields = {event: event.type, state, ...(why && {why}), ...(hint && {hint}), node, cell};
        if (state === 'refused') log.error(fields, `this host is not registered with its cell: ${why}`);
        else if (why !== undefined) log.warn(fields, `this host is not yet registered with its cell: ${why}`);
        else log.info(fields, state === 'mapped' ? 'this host is in its cell' : "this host's compute node is there");
        return;
      }
      case 'host-registered': {
        const {node, outcome, warning, unknown} = event.recorded;
        const fields = {event: event.type, outcome, uuid: node.uuid, node: node.hypervisor_hostname, unknown};
        log[outcome === 'created' ? 'info' : 'debug'](fields, `the compute node of this host was ${outcome}`);
        if (warning !== undefined) log.warn({event: event.type, uuid: node.uuid}, warning);
        return;
      }
      case 'host-mapped': {
        const {outcome, cell} = event;
        const fields = {event: event.type, outcome, cell: cell.name, uuid: cell.uuid};
        if (outcome === 'created') log.info(fields, 'this host was mapped to its cell');
        else log.debug(fields, 'this host is mapped to its cell');
        return;
      }
      case 'heartbeat-failed': {
        const {kind, message} = event.error;
        log.warn({event: event.type, kind}, `signs of life do not reach Nova: ${message}`);
        return;
      }
      case 'heartbeat-back':
        log.info({event: event.type}, 'signs of life reach Nova again');
    }
  };
}

/** RabbitMQ comes and goes; which of its servers it is matters to whoever looks after it. */
export function observeBus(log: Logger): EmitBusEvent {
  return event => {
    const {type, ...fields} = event;
    switch (event.type) {
      case 'bus-connect-failed':
        log.debug({event: type, broker: event.broker}, event.error.message);
        return;
      case 'bus-lost':
        log.warn({event: type, broker: event.broker}, event.error.message);
        return;
      case 'bus-blocked':
        log.warn({event: type, ...fields}, 'RabbitMQ takes no messages');
        return;
      default:
        log.debug({event: type, ...fields}, type);
    }
  };
}
