import type {CellarConfig} from '../config/load.ts';
import type {GivenOptions} from '../oslo/options.ts';

const rabbitNames = [
  'ssl',
  'ssl_ca_file',
  'ssl_cert_file',
  'ssl_key_file',
  'ssl_enforce_hostname_verification',
  'rabbit_login_method',
  'heartbeat_timeout_threshold',
  'rabbit_retry_interval',
  'rabbit_retry_backoff',
  'rabbit_interval_max',
  'rabbit_ha_queues',
  'rabbit_transient_queues_ttl',
  'rabbit_transient_quorum_queue',
] as const satisfies (keyof GivenOptions)[];

/** [oslo_messaging_rabbit], as far as it is set. */
export const rabbitOptions = ({get}: Pick<CellarConfig, 'get'>): GivenOptions =>
  Object.fromEntries(rabbitNames.map(name => [name, get('oslo_messaging_rabbit', name)]));
