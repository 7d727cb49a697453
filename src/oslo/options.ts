/** What of [oslo_messaging_rabbit] cellar heeds, with the names and units of the ini file. */
import {CellarError} from '../core/errors.ts';

export type RabbitOptions = {
  ssl: boolean;
  /** PEM file of the authorities to trust instead of the system's. */
  ssl_ca_file: string | undefined;
  ssl_cert_file: string | undefined;
  ssl_key_file: string | undefined;
  /** The certificate must be of the host that was asked for. */
  ssl_enforce_hostname_verification: boolean;
  rabbit_login_method: 'PLAIN' | 'AMQPLAIN' | 'EXTERNAL' | 'RABBIT-CR-DEMO';
  /** Seconds without a sign of life after which a connection counts as dead; 0: no heartbeats. */
  heartbeat_timeout_threshold: number;
  /** Seconds before a new round of attempts to connect; each pause is `rabbit_retry_backoff` longer, up to `rabbit_interval_max`. */
  rabbit_retry_interval: number;
  rabbit_retry_backoff: number;
  rabbit_interval_max: number;
  /** Ask for mirrored queues the way RabbitMQ before 3.0 was asked. */
  rabbit_ha_queues: boolean;
  /** Seconds after which a reply queue that nobody reads is gone; 0: never. */
  rabbit_transient_queues_ttl: number;
  /** The reply queue is a quorum queue, and so durable. */
  rabbit_transient_quorum_queue: boolean;
};

export const rabbitDefaults: RabbitOptions = {
  ssl: false,
  ssl_ca_file: undefined,
  ssl_cert_file: undefined,
  ssl_key_file: undefined,
  ssl_enforce_hostname_verification: true,
  rabbit_login_method: 'AMQPLAIN',
  heartbeat_timeout_threshold: 60,
  rabbit_retry_interval: 1,
  rabbit_retry_backoff: 2,
  rabbit_interval_max: 30,
  rabbit_ha_queues: false,
  rabbit_transient_queues_ttl: 1800,
  rabbit_transient_quorum_queue: false,
};

export type GivenOptions = {[Name in keyof RabbitOptions]?: RabbitOptions[Name] | undefined};

/** Defaults, what is given, and over it what the transport_url's query says. Options we do not know are oslo.messaging's business. */
export function rabbitOptions(given: GivenOptions, query: Record<string, string>): RabbitOptions {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  const asked = Object.entries(query)
    .filter(([name]) => Object.hasOwn(rabbitDefaults, name))
    .map(([name, text]) => [name, parse(name as keyof RabbitOptions, text)]);
  return {...rabbitDefaults, ...Object.fromEntries(set), ...Object.fromEntries(asked)} as RabbitOptions;
}

const yes = ['true', '1', 'on', 'yes'];
const no = ['false', '0', 'off', 'no'];
const loginMethods = ['PLAIN', 'AMQPLAIN', 'EXTERNAL', 'RABBIT-CR-DEMO'];

function parse(name: keyof RabbitOptions, text: string): unknown {
  switch (typeof rabbitDefaults[name]) {
    case 'boolean':
      if (yes.includes(text.toLowerCase())) return true;
      if (no.includes(text.toLowerCase())) return false;
      throw wrong(name, 'must be true or false');
    case 'number':
      if (!/^\s*\d+\s*$/.test(text)) throw wrong(name, 'must be a whole number');
      return Number(text);
    default:
      if (name === 'rabbit_login_method' && !loginMethods.includes(text)) {
        throw wrong(name, `must be one of ${loginMethods.join(', ')}`);
      }
      return text;
  }
}

const wrong = (name: string, why: string) => new CellarError('config', `transport_url: ?${name}= ${why}`);
