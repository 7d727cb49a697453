/** The brokers that a transport_url names, with what oslo.messaging and kombu put where it says nothing. */
import {isIPv6} from 'node:net';
import {CellarError} from '../core/errors.ts';
import {redacted, type TransportUrl, unquote, urlHint} from './transport-url.ts';

export type Broker = {
  /** host:port, for messages. */
  name: string;
  hostname: string;
  port: number;
  username: string;
  password: string;
  virtualHost: string;
};

/** In the URL's order. `config` when it is not RabbitMQ's, or an address cannot be one. */
export function brokersOf(url: TransportUrl): Broker[] {
  if (!rabbits.includes(url.transport)) throw foreign(url);
  if (url.stray) throw refused(url, 'there is an @ after the hosts');
  const hosts = url.hosts.length > 0 ? url.hosts : [{hostname: '', port: undefined, username: '', password: ''}];
  return hosts.map(host => {
    const hostname = host.hostname || 'localhost';
    const port = host.port || 5672;
    if (port < 1 || port > 65535) throw refused(url, `${port} is not a port`);
    if (hostname.includes(':') && !isIPv6(hostname)) throw refused(url, `${hostname} is not an IPv6 address`);
    return {
      name: `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`,
      hostname,
      port,
      // A user or a password that is not there is AMQP's: hosts do not inherit from each other.
      username: host.username || 'guest',
      password: host.password || 'guest',
      virtualHost: asKombuReads(url.virtualHost ?? '') || '/',
    };
  });
}

/** oslo.messaging puts the decoded name into a URL for kombu, which ends at other signs and decodes once more. */
const asKombuReads = (virtualHost: string) => unquote(virtualHost.split(/[?#;]/, 1)[0] ?? '');

const rabbits = ['rabbit', 'kombu', 'kombu+rabbit', 'kombu+amqp', 'kombu+pyamqp'];

function foreign(url: TransportUrl): CellarError {
  const what = url.transport === 'amqp' ? 'amqp:// is AMQP 1.0 in oslo.messaging' : `its scheme is ${url.transport}`;
  return new CellarError('config', `transport_url: ${what}, and cellar speaks to RabbitMQ`, {
    hint: urlHint,
  });
}

const refused = (url: TransportUrl, why: string) =>
  new CellarError('config', `transport_url ${redacted(url)}: ${why}`, {hint: urlHint});
