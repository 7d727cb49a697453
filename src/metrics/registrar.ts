/** The metrics of cellar-registrar: the one list. */
import {type ErrorKind, errorKinds} from '../core/errors.ts';
import {counter, gauge, histogram} from './metric.ts';

const kind = Object.keys(errorKinds) as ErrorKind[];

/** The paths there are; `other` is every other. */
export const registrarPaths = ['/v1/cell', '/v1/hosts', '/v1/hosts/{host}', '/healthz', 'other'] as const;

export const registrarMetrics = {
  cellar_registrar_requests_total: counter('Requests by path and status of the answer.', {
    path: registrarPaths,
    status: ['2xx', '4xx', '5xx'],
  }),
  cellar_registrar_request_duration_seconds: histogram(
    'How long a request took, with what Keystone and the conductors were asked for it.',
    {path: registrarPaths},
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  ),
  cellar_registrar_errors_total: counter('Requests that were refused or failed, by kind of error.', {kind}),
  cellar_registrar_rate_limited_total: counter(
    'Requests of callers that asked too often; they are among the errors too.',
  ),
  cellar_registrar_changes_total: counter('What was changed in Nova; each is a line of the audit log too.', {
    change: ['host-mapped', 'service-disabled'],
  }),
  cellar_registrar_requests_in_flight: gauge('Requests whose answer is not out yet.'),
  cellar_registrar_bus_losses_total: counter('Connections to RabbitMQ that were lost, of all cells.'),
};
