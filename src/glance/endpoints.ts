/** Where Glance is: one address or several, and which of them to ask first. */
import {CellarError} from '../core/errors.ts';
import type {Identity} from './identity.ts';

/** Nova's [glance] options. The first that is set wins: api_servers, endpoint_override, the catalog. */
export type EndpointOptions = {
  api_servers?: string[] | undefined;
  endpoint_override?: string | undefined;
  /** Default image. */
  service_type?: string | undefined;
  service_name?: string | undefined;
  /** Default internal, public: Nova's. */
  valid_interfaces?: string[] | undefined;
  region_name?: string | undefined;
};

/** The servers in the order to try them: shuffled once, then those that failed last, so the one that last answered comes first. */
export class Endpoints {
  readonly #options: EndpointOptions;
  readonly #identity: Identity | undefined;
  #order: string[];

  constructor(options: EndpointOptions, identity: Identity | undefined, random: () => number = Math.random) {
    const {api_servers = [], endpoint_override} = options;
    this.#options = options;
    this.#identity = identity;
    const fixed = api_servers.length > 0 ? api_servers : endpoint_override ? [endpoint_override] : [];
    this.#order = shuffle([...new Set(fixed.map(baseUrl))], random);
  }

  /** Never empty; without configured addresses the catalog's, looked up anew each time as it may change. */
  async list(signal: AbortSignal): Promise<string[]> {
    if (this.#order.length > 0) return this.#order;
    if (!this.#identity) {
      throw new CellarError('config', 'nothing says where Glance is', {
        hint: 'set endpoint_override or api_servers in [glance], or credentials for the catalog in [service_user]',
      });
    }
    const {
      service_type = 'image',
      valid_interfaces = ['internal', 'public'],
      service_name,
      region_name,
    } = this.#options;
    return [
      baseUrl(await this.#identity.endpoint({service_type, valid_interfaces, service_name, region_name}, signal)),
    ];
  }

  /** It failed: the others come first until one of them fails too. */
  avoid(server: string): void {
    if (this.#order.includes(server)) this.#order = [...this.#order.filter(other => other !== server), server];
  }
}

/** An address without /v2 and slashes at its end; `host:port` means http, as in Nova. */
function baseUrl(address: string): string {
  const url = URL.parse(address.includes('//') ? address : `http://${address}`);
  if (!url || !/^https?:$/.test(url.protocol) || !url.hostname) {
    throw new CellarError('config', 'the address of Glance is not an http(s) URL', {
      hint: 'check endpoint_override or api_servers in [glance]',
    });
  }
  if (url.username || url.password) {
    throw new CellarError('config', `the address of Glance at ${url.host} holds a user name or password`);
  }
  return `${url.origin}${url.pathname
    .replace(/\/+$/, '')
    .replace(/\/v\d+(\.\d+)?$/, '')
    .replace(/\/+$/, '')}`;
}

function shuffle<T>(list: T[], random: () => number): T[] {
  const keyed = list.map(item => ({item, key: random()}));
  return keyed.sort((a, b) => a.key - b.key).map(({item}) => item);
}
