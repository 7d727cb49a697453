/** Where a message bus is: servers and virtual host of a transport URL, without who logs in there. */
import {brokersOf} from '../oslo/brokers.ts';
import {parseTransportUrl} from '../oslo/transport-url.ts';

export type Bus = {
  /** `host:port`, in lower case. */
  servers: readonly string[];
  virtualHost: string;
};

/**
 * The bus of a transport URL, or undefined if it is none that we could be on (cell0 has `none:///`). Credentials are dropped here:
 * what is returned may be logged.
 */
export function busOf(url: string): Bus | undefined {
  try {
    const brokers = brokersOf(parseTransportUrl(url));
    const [{virtualHost} = {virtualHost: '/'}] = brokers;
    return {servers: brokers.map(({name}) => name.toLowerCase()), virtualHost};
  } catch {
    return undefined;
  }
}

/** The same virtual host on at least one common server: either side may list only some of a cluster's. */
export const sameBus = (a: Bus, b: Bus): boolean =>
  a.virtualHost === b.virtualHost && a.servers.some(server => b.servers.includes(server));
