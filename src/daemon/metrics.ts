/** What happens, as numbers: the one place where events are counted. The list is src/metrics/agent.ts. */
import type {Handled} from '../api/server.ts';
import {asCellarError, type ErrorKind} from '../core/errors.ts';
import type {Emit, Event} from '../core/events.ts';
import type {FacadeOptions} from '../facade/server.ts';
import {agentMetrics} from '../metrics/agent.ts';
import {Meters} from '../metrics/meters.ts';
import type {RegistrationEvent} from '../nova/registration.ts';
import type {EmitBusEvent} from '../oslo/events.ts';
import {both} from './observe.ts';
import type {CephOperation, GlanceOperation, Told} from './timed.ts';

export type AgentMeters = Meters<typeof agentMetrics>;

const roads = {exists: 'exists', cloned: 'location', 'cloned-from-cache': 'cached', filled: 'filled'} as const;

export function createMeters(constant: Record<string, string>): AgentMeters {
  const meters = new Meters(agentMetrics, constant);
  meters.choose('cellar_registration_state', 'state', 'off');
  meters.set('cellar_heartbeat_failing', {}, 0);
  meters.set('cellar_janitor_timestamp_seconds', {}, Date.now() / 1000);
  return meters;
}

/** Of fills, progress is what was received so far; what is counted is the difference. */
export function meterEvents(meters: AgentMeters): Emit {
  const received = new Map<string, number>();
  return event => {
    if (event.type === 'fill-progress') {
      const before = received.get(event.image) ?? 0;
      received.set(event.image, event.received);
      meters.count('cellar_fill_received_bytes_total', {}, Math.max(0, event.received - before));
    }
    if (event.type === 'fill-started') received.set(event.image, 0);
    if (event.type === 'fill-published' || event.type === 'fill-failed') received.delete(event.image);
    meters.set('cellar_fills_running', {role: 'filling'}, received.size);
    count(event, meters);
  };
}

function count(event: Event, meters: AgentMeters): void {
  switch (event.type) {
    case 'disk-ready':
      meters.observe('cellar_disk_duration_seconds', {road: roads[event.outcome]}, event.ms / 1000);
      return;
    case 'disk-failed':
      meters.count('cellar_disk_failures_total', {kind: event.kind});
      return;
    case 'disk-repaired':
      meters.count('cellar_disk_repairs_total', {});
      return;
    case 'disk-kept':
      meters.count('cellar_disk_repair_failures_total', {});
      return;
    case 'fill-published':
      meters.observe('cellar_fill_duration_seconds', {outcome: 'published'}, event.ms / 1000);
      meters.count('cellar_fill_written_bytes_total', {}, event.written);
      meters.count('cellar_fill_hole_bytes_total', {}, Math.max(0, event.disk - event.written));
      return;
    case 'fill-failed':
      meters.observe('cellar_fill_duration_seconds', {outcome: 'failed'}, event.ms / 1000);
      meters.count('cellar_fill_failures_total', {kind: event.error.kind});
      return;
    case 'fill-waited':
      meters.observe('cellar_fill_wait_seconds', {outcome: event.outcome}, event.ms / 1000);
      return;
    case 'lease-lost':
      meters.count('cellar_leases_lost_total', {
        lease: event.name.startsWith('cellar.fill.') ? 'fill' : 'janitor',
      });
      return;
    case 'copy-retired':
      if (event.quarantined) meters.count('cellar_copies_quarantined_total', {});
      meters.count('cellar_copies_retired_total', {reason: event.reason});
      return;
    case 'copy-removed':
      meters.count('cellar_copies_removed_total', {});
      return;
    case 'copy-kept':
      meters.count('cellar_copy_removal_failures_total', {});
      return;
    case 'copy-verified':
      meters.count('cellar_verifications_total', {result: event.result});
      return;
    case 'janitor-done':
      meters.count('cellar_janitor_rounds_total', {});
      meters.set('cellar_janitor_timestamp_seconds', {}, Date.now() / 1000);
      return;
    case 'janitor-failed':
      meters.count('cellar_janitor_failures_total', {step: event.step});
      return;
    case 'cache-surveyed':
      survey(event, meters);
      return;
    case 'base-file-removed':
      meters.count('cellar_base_files_removed_total', {});
      meters.count('cellar_base_file_removed_bytes_total', {}, event.bytes);
      return;
    case 'base-file-kept':
      meters.count('cellar_base_files_kept_total', {});
      return;
    case 'base-files-failed':
      meters.count('cellar_base_sweep_failures_total', {});
  }
}

function survey(
  {cached, pinned, retired, quarantined, room}: Extract<Event, {type: 'cache-surveyed'}>,
  meters: AgentMeters,
): void {
  meters.set('cellar_cache_copies', {state: 'pinned'}, pinned);
  for (const [state, {copies, bytes}] of Object.entries({cached, retired, quarantined} as const)) {
    const one = state as 'cached' | 'retired' | 'quarantined';
    meters.set('cellar_cache_copies', {state: one}, copies);
    meters.set('cellar_cache_bytes', {state: one}, bytes);
  }
  meters.set('cellar_cache_pool_bytes', {state: 'used'}, room?.used);
  meters.set('cellar_cache_pool_bytes', {state: 'available'}, room?.available);
  meters.set('cellar_cache_surveyed_timestamp_seconds', {}, Date.now() / 1000);
}

/** 2xx and its neighbours; `none` for an answer that never came. */
export function statusClass(status: number): '2xx' | '3xx' | '4xx' | '5xx' | 'none' {
  if (status < 200 || status > 599) return 'none';
  return (['2xx', '3xx', '4xx', '5xx'] as const)[Math.floor(status / 100) - 2] ?? 'none';
}

export const meterRequests =
  (meters: AgentMeters) =>
  ({status}: Handled): void =>
    meters.count('cellar_api_requests_total', {status: statusClass(status)});

type Facades = {
  onShown: NonNullable<FacadeOptions['onShown']>;
  onPassed: NonNullable<FacadeOptions['onPassed']>;
};

export function meterFacade(meters: AgentMeters): Facades {
  return {
    onShown: ({offered, reason, held}) => {
      const result = offered === undefined ? 'untouched' : 'offered';
      meters.observe('cellar_facade_held_seconds', {result}, held / 1000);
      meters.count('cellar_facade_shows_total', {result: offered === undefined ? (reason ?? 'other') : 'offered'});
    },
    onPassed: ({status, error}) => {
      meters.count('cellar_facade_requests_total', {status: statusClass(status)});
      if (error !== undefined) meters.count('cellar_facade_errors_total', {kind: error.kind});
    },
  };
}

export function meterRegistration(meters: AgentMeters): (event: RegistrationEvent) => void {
  return event => {
    if (event.type === 'registration-changed') meters.choose('cellar_registration_state', 'state', event.status.state);
    if (event.type === 'heartbeat-failed') meters.set('cellar_heartbeat_failing', {}, 1);
    if (event.type === 'heartbeat-back') meters.set('cellar_heartbeat_failing', {}, 0);
  };
}

export function meterBus(meters: AgentMeters): EmitBusEvent {
  return ({type}) => {
    if (type === 'bus-lost') meters.count('cellar_bus_losses_total', {});
  };
}

export function bothOf(one: Facades, other: Facades): Facades {
  return {onShown: both(one.onShown, other.onShown), onPassed: both(one.onPassed, other.onPassed)};
}

export const meterCeph =
  (meters: AgentMeters): Told<CephOperation> =>
  (operation, seconds, failed) => {
    meters.observe('cellar_ceph_operation_duration_seconds', {operation}, seconds);
    if (failed !== undefined) meters.count('cellar_ceph_errors_total', {kind: failed});
  };

export const meterGlance =
  (meters: AgentMeters): Told<GlanceOperation> =>
  (operation, seconds, failed) => {
    meters.observe('cellar_glance_request_duration_seconds', {operation}, seconds);
    if (failed !== undefined) meters.count('cellar_glance_errors_total', {kind: failed});
  };

/** Tokens asked of Keystone. */
export const meterKeystone =
  (meters: AgentMeters) =>
  (ms: number, error: unknown): void => {
    meters.observe('cellar_keystone_request_duration_seconds', {}, ms / 1000);
    if (error !== undefined) meters.count('cellar_keystone_errors_total', {kind: kindOf(error)});
  };

const kindOf = (error: unknown): ErrorKind => asCellarError(error).kind;
