/** A host as Nova's and Placement's APIs show it, and what they do with its services. Needs the rights of an administrator. */
import {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import type {ComputeServiceRow, HostAggregate, HostNode, HostProvider} from './move-facts.ts';
import {Rest, type RestIdentity, type RestOptions} from './rest.ts';

/** Of Pike: services and hypervisors have uuids, and listing them asks no compute. */
const computeVersion = 'compute 2.53';
const placementVersion = 'placement 1.14';

export type ComputeApiOptions = Omit<RestOptions, 'endpoint' | 'version'> & {
  region_name?: string | undefined;
  valid_interfaces?: string[] | undefined;
};

/** What Nova counts as over: all else keeps a compute service from being deleted. */
const over = new Set(['confirmed', 'reverted', 'error', 'failed', 'completed', 'cancelled', 'done']);

export class ComputeApi {
  readonly #nova: Rest;
  readonly #placement: Rest;

  constructor(identity: RestIdentity, {region_name, valid_interfaces, ...options}: ComputeApiOptions) {
    const rest = (service_type: string, version: string) =>
      new Rest(identity, {...options, version, endpoint: {service_type, region_name, valid_interfaces}});
    this.#nova = rest('compute', computeVersion);
    this.#placement = rest('placement', placementVersion);
  }

  /** Of all binaries. */
  async services(host: string, signal: AbortSignal): Promise<ComputeServiceRow[]> {
    const answer = await this.#nova.call('GET', `/os-services?host=${encodeURIComponent(host)}`, signal);
    return read(serviceList, answer, 'services').services.map(({disabled_reason, ...row}) => ({
      ...row,
      reason: disabled_reason ?? null,
    }));
  }

  /**
   * The first few that are on the host, of all projects, and those that are deleted and wait to be reclaimed. Nova lists among
   * the latter, until they are archived, what was deleted while the host was down: it is gone for good, and has its end.
   */
  async servers(host: string, signal: AbortSignal): Promise<{id: string; status: string}[]> {
    const path = `/servers/detail?all_tenants=1&host=${encodeURIComponent(host)}`;
    const list = async (filter: string) =>
      read(serverList, await this.#nova.call('GET', path + filter, signal), 'servers').servers;
    const [living, deleted] = await Promise.all([list('&limit=20'), list('&deleted=True&status=SOFT_DELETED')]);
    const waiting = deleted.filter(one => (one['OS-SRV-USG:terminated_at'] ?? null) === null);
    return [...living, ...waiting].map(({id, status}) => ({id, status}));
  }

  /** Those in progress, to or from the host. */
  async migrations(host: string, signal: AbortSignal): Promise<{id: string; status: string}[]> {
    const path = `/os-migrations?host=${encodeURIComponent(host)}`;
    const {migrations} = read(migrationList, await this.#nova.call('GET', path, signal), 'migrations');
    return migrations.flatMap(({id, status}) => (over.has(status) ? [] : [{id: String(id), status}]));
  }

  async aggregates(host: string, signal: AbortSignal): Promise<HostAggregate[]> {
    const {aggregates} = read(aggregateList, await this.#nova.call('GET', '/os-aggregates', signal), 'aggregates');
    return aggregates.flatMap(({id, name, hosts}) => (hosts.includes(host) ? [{id, name}] : []));
  }

  /**
   * The compute nodes of the host, and the uuids of all others. Nova has no filter for it: pages are read until there are no
   * more, and anew when the last node of a page is gone before the next page is asked for.
   */
  async nodes(host: string, signal: AbortSignal): Promise<{own: HostNode[]; others: ReadonlySet<string>}> {
    for (let tries = 0; tries < 3; tries += 1) {
      const all = await this.#hypervisors(signal);
      if (all === undefined) continue;
      const own = [...all].flatMap(([uuid, {name, host: of}]) => (of === host ? [{name, uuid}] : []));
      return {own, others: new Set([...all].flatMap(([uuid, {host: of}]) => (of === host ? [] : [uuid])))};
    }
    throw new CellarError('unavailable', 'the list of compute nodes changes while it is read', {
      hint: 'run this again',
    });
  }

  /** By uuid; undefined: a page began after a node that is gone. A short page is no end: Nova leaves out what it cannot show. */
  async #hypervisors(signal: AbortSignal): Promise<Map<string, {name: string; host: string}> | undefined> {
    const all = new Map<string, {name: string; host: string}>();
    for (let marker = ''; ; ) {
      const path = `/os-hypervisors/detail?limit=500${marker && `&marker=${marker}`}`;
      let answer: unknown;
      try {
        answer = await this.#nova.call('GET', path, signal);
      } catch (error) {
        if (marker !== '' && error instanceof CellarError && error.kind === 'usage') return undefined;
        throw error;
      }
      const {hypervisors} = read(hypervisorList, answer, 'hypervisors');
      for (const {id, hypervisor_hostname, service} of hypervisors)
        all.set(id, {name: hypervisor_hostname, host: service.host});
      const last = hypervisors.at(-1)?.id;
      if (last === undefined || last === marker) return all;
      marker = last;
    }
  }

  /** Providers of these nodes, by uuid or by name, but of none of the others: a name may be that of somebody else's by now. */
  async providers(
    nodes: readonly HostNode[],
    others: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<HostProvider[]> {
    const found = new Map<string, string>();
    for (const {name, uuid} of nodes) {
      for (const query of [`uuid=${encodeURIComponent(uuid)}`, `name=${encodeURIComponent(name)}`]) {
        const answer = await this.#placement.call('GET', `/resource_providers?${query}`, signal);
        for (const one of read(providerList, answer, 'resource providers').resource_providers)
          if (!others.has(one.uuid)) found.set(one.uuid, one.name);
      }
    }
    const providers: HostProvider[] = [];
    for (const [uuid, name] of found) {
      const answer = await this.#placement.call('GET', `/resource_providers/${uuid}/allocations`, signal);
      const {allocations} = read(allocationList, answer, 'allocations');
      providers.push({uuid, name, allocations: Object.keys(allocations).length});
    }
    return providers;
  }

  async disable(id: string, reason: string, signal: AbortSignal): Promise<void> {
    await this.#nova.call('PUT', `/os-services/${id}`, signal, {status: 'disabled', disabled_reason: reason});
  }

  /** It is gone, or was. Nova refuses it for a nova-compute with servers or migrations: `conflict`. */
  async deleteService(id: string, signal: AbortSignal): Promise<void> {
    await gone(this.#nova.call('DELETE', `/os-services/${id}`, signal));
  }

  /** Placement refuses it for a provider with allocations: `conflict`. */
  async deleteProvider(uuid: string, signal: AbortSignal): Promise<void> {
    await gone(this.#placement.call('DELETE', `/resource_providers/${uuid}`, signal));
  }

  close(): void {
    this.#nova.close();
    this.#placement.close();
  }
}

const serviceList = z.object({
  services: z.array(
    z.object({
      id: z.string(),
      binary: z.string(),
      state: z.enum(['up', 'down']),
      status: z.enum(['enabled', 'disabled']),
      disabled_reason: z.string().nullish(),
    }),
  ),
});
const serverList = z.object({
  servers: z.array(z.object({id: z.string(), status: z.string(), 'OS-SRV-USG:terminated_at': z.string().nullish()})),
});
const migrationList = z.object({
  migrations: z.array(z.object({id: z.union([z.int(), z.string()]), status: z.string()})),
});
const aggregateList = z.object({
  aggregates: z.array(z.object({id: z.int(), name: z.string(), hosts: z.array(z.string())})),
});
const hypervisorList = z.object({
  hypervisors: z.array(
    z.object({id: z.string(), hypervisor_hostname: z.string(), service: z.object({host: z.string()})}),
  ),
});
const providerList = z.object({resource_providers: z.array(z.object({uuid: z.string(), name: z.string()}))});
const allocationList = z.object({allocations: z.record(z.string(), z.unknown())});

function read<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CellarError(
    'unavailable',
    `the answer is no list of ${what}: ${issue?.path.join('.') ?? ''} is missing or odd`,
  );
}

async function gone(deleted: Promise<unknown>): Promise<void> {
  try {
    await deleted;
  } catch (error) {
    if (!(error instanceof CellarError && error.kind === 'not-found')) throw error;
  }
}
