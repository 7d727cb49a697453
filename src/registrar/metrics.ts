/** What cellar-registrar does, as numbers. The list is src/metrics/registrar.ts. */
import {Meters} from '../metrics/meters.ts';
import {registrarMetrics, registrarPaths} from '../metrics/registrar.ts';
import type {EmitBusEvent} from '../oslo/events.ts';
import type {Change} from './registrar.ts';
import type {Handled} from './server.ts';

export type RegistrarMeters = Meters<typeof registrarMetrics>;

export const createRegistrarMeters = (): RegistrarMeters => new Meters(registrarMetrics);

export const meterChanges =
  (meters: RegistrarMeters) =>
  ({action}: Change): void =>
    meters.count('cellar_registrar_changes_total', {change: action});

export const meterHandled =
  (meters: RegistrarMeters) =>
  ({path: asked, status, ms, error}: Handled): void => {
    const path = registrarPaths.find(one => one === asked) ?? 'other';
    const hundreds = status < 400 ? '2xx' : status < 500 ? '4xx' : '5xx';
    meters.count('cellar_registrar_requests_total', {path, status: hundreds});
    meters.observe('cellar_registrar_request_duration_seconds', {path}, ms / 1000);
    if (error !== undefined) meters.count('cellar_registrar_errors_total', {kind: error.kind});
    if (status === 429) meters.count('cellar_registrar_rate_limited_total', {});
  };

export const meterBuses =
  (meters: RegistrarMeters): EmitBusEvent =>
  ({type}) => {
    if (type === 'bus-lost') meters.count('cellar_registrar_bus_losses_total', {});
  };
