import {novas, novasIfSet} from './option.ts';
import {boolean, choice, integer, string} from './types.ts';

const asNova = "oslo.messaging's default.";
const unset = 'Not set, as in oslo.messaging.';

/** oslo.messaging's options that cellar heeds where it speaks to a conductor; the query of `transport_url` overrides them. */
export const messagingOptions = {
  oslo_messaging_rabbit: {
    ssl: novas(boolean(), {
      default: 'false',
      deprecated: [{name: 'rabbit_use_ssl'}],
      help: 'Speak TLS to RabbitMQ.',
      reason: asNova,
    }),
    ssl_ca_file: novasIfSet(string(), {
      deprecated: [{name: 'kombu_ssl_ca_certs'}],
      help: 'PEM file of the authorities that vouch for RabbitMQ.',
      reason: unset,
    }),
    ssl_cert_file: novasIfSet(string(), {
      deprecated: [{name: 'kombu_ssl_certfile'}],
      help: 'PEM file of the certificate to show to RabbitMQ.',
      reason: unset,
    }),
    ssl_key_file: novasIfSet(string(), {
      deprecated: [{name: 'kombu_ssl_keyfile'}],
      help: 'PEM file of the key of that certificate.',
      reason: unset,
    }),
    ssl_enforce_hostname_verification: novas(boolean(), {
      default: 'true',
      help: "RabbitMQ's certificate must be of the host that was asked for. Releases of Nova that do not have the option do not check it.",
      reason: asNova,
    }),
    rabbit_login_method: novas(choice(['PLAIN', 'AMQPLAIN', 'EXTERNAL', 'RABBIT-CR-DEMO']), {
      default: 'AMQPLAIN',
      help: 'How to log in at RabbitMQ.',
      reason: asNova,
    }),
    heartbeat_timeout_threshold: novas(integer({min: 0}), {
      default: '60',
      unit: 'seconds',
      help: 'A connection without a sign of life for so long is given up; 0: never.',
      reason: asNova,
    }),
    rabbit_retry_interval: novas(integer({min: 0}), {
      default: '1',
      unit: 'seconds',
      help: 'The pause before RabbitMQ is tried again.',
      reason: asNova,
    }),
    rabbit_retry_backoff: novas(integer({min: 0}), {
      default: '2',
      unit: 'seconds',
      help: 'How much longer each further pause is.',
      reason: asNova,
    }),
    rabbit_interval_max: novas(integer({min: 0}), {
      default: '30',
      unit: 'seconds',
      help: 'The longest pause.',
      reason: asNova,
    }),
    rabbit_ha_queues: novas(boolean(), {
      default: 'false',
      help: 'Ask for mirrored queues the way RabbitMQ before 3.0 was asked.',
      reason: asNova,
    }),
    rabbit_transient_queues_ttl: novas(integer({min: 0}), {
      default: '1800',
      unit: 'seconds',
      help: 'A reply queue that nobody reads is gone after so long; 0: never.',
      reason: asNova,
    }),
    rabbit_transient_quorum_queue: novas(boolean(), {
      default: 'false',
      help: 'Make the reply queue a quorum queue.',
      reason: asNova,
    }),
  },
};
