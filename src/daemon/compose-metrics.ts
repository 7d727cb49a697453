/** The agent's metrics, made and tied to what they are looked up from. */
import {version} from '../config/version.ts';
import type {World} from '../core/world.ts';
import {createMetricsServer, type MetricsServer} from '../metrics/listen.ts';
import {type Exposition, exposeAll} from '../metrics/meters.ts';
import {processMeters} from '../metrics/process.ts';
import type {NativeBinding} from '../rbd/native.ts';
import {type Health, parts} from './health.ts';
import type {LoopDelay} from './loop-delay.ts';
import {type AgentMeters, createMeters} from './metrics.ts';

export type MetricsParts = {
  meters: AgentMeters;
  expose(): Promise<Exposition>;
  server: MetricsServer;
};

export type MetricsSources = {
  binding: NativeBinding;
  health: Health;
  loopDelay: LoopDelay;
  /** The cell's name, if the configuration gives one. */
  cell: string | undefined;
};

/** A survey of the cache that is older than so many rounds of the janitor is somebody else's to tell by now. */
const believedRounds = 3;

export function composeMetrics({binding, health, loopDelay, cell}: MetricsSources): MetricsParts {
  const constant: Record<string, string> = cell === undefined ? {} : {cell};
  const meters = createMeters(constant);
  const {librbd, librados} = binding.versions();
  const own = processMeters({version, librbd, librados, delay: () => loopDelay.worst}, constant);
  meters.onScrape(() => {
    const {queued, running, inFlight} = binding.counters();
    meters.set('cellar_native_operations', {state: 'queued'}, queued);
    meters.set('cellar_native_operations', {state: 'running'}, running);
    meters.set('cellar_native_operations', {state: 'in-flight'}, inFlight);
    for (const partner of parts) {
      const {state, asked} = health.of(partner);
      meters.set('cellar_partner_up', {partner}, state === 'unknown' ? undefined : Number(state === 'up'));
      const at = asked === undefined ? undefined : Date.parse(asked) / 1000;
      meters.set('cellar_partner_asked_timestamp_seconds', {partner}, at);
    }
  });
  const expose = () => exposeAll([own, meters]);
  return {meters, expose, server: createMetricsServer(expose)};
}

/** What only the composed agent knows. */
export function watchWorld(meters: AgentMeters, {fills, limits}: World, inFlight: () => number): void {
  meters.onScrape(() => {
    meters.set('cellar_api_requests_in_flight', {}, inFlight());
    const filling = meters.valueOf('cellar_fills_running', {role: 'filling'}) ?? 0;
    meters.set('cellar_fills_running', {role: 'waiting'}, Math.max(0, fills.running.length - filling));
    meters.set('cellar_janitor_interval_seconds', {}, limits.janitorInterval / 1000);
    forgetOldSurvey(meters, limits.janitorInterval * believedRounds);
    const {maxBytes, maxFill} = limits.cache;
    const [used, available] = (['used', 'available'] as const).map(state =>
      meters.valueOf('cellar_cache_pool_bytes', {state}),
    );
    const pool = used === undefined || available === undefined ? undefined : used + available;
    meters.set('cellar_cache_limit_bytes', {limit: 'max_size'}, maxBytes > 0 ? maxBytes : undefined);
    const bound = maxFill > 0 && pool !== undefined ? Math.floor(maxFill * pool) : undefined;
    meters.set('cellar_cache_limit_bytes', {limit: 'max_fill'}, bound);
  });
}

function forgetOldSurvey(meters: AgentMeters, believed: number): void {
  const at = meters.valueOf('cellar_cache_surveyed_timestamp_seconds', {});
  if (at === undefined || Date.now() - at * 1000 <= believed) return;
  for (const name of [
    'cellar_cache_copies',
    'cellar_cache_bytes',
    'cellar_cache_pool_bytes',
    'cellar_cache_surveyed_timestamp_seconds',
  ] as const)
    meters.clear(name);
}
