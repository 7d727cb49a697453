/** Which endpoint of the catalog is meant. */
import {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import {gist} from '../http/failure.ts';

/** The part of a token's answer that lists the services. */
export const catalogSchema = z.array(
  z.object({
    type: z.string(),
    name: z.string().optional(),
    endpoints: z.array(
      z.object({
        interface: z.string(),
        region: z.string().nullish(),
        region_id: z.string().nullish(),
        url: z.string(),
      }),
    ),
  }),
);

export type Catalog = z.infer<typeof catalogSchema>;

/** keystoneauth's adapter options. */
export type EndpointQuery = {
  service_type: string;
  service_name?: string | undefined;
  /** The first interface that has an endpoint wins; `internalURL` means `internal`. Default: public. */
  valid_interfaces?: string[] | undefined;
  /** Any region without it. */
  region_name?: string | undefined;
};

/** The endpoint's URL as the catalog has it; `config` with the list of what there is when none fits. */
export function findEndpoint(catalog: Catalog, query: EndpointQuery): string {
  const {service_name, region_name, valid_interfaces = ['public']} = query;
  const type = officialType(query.service_type);
  const endpoints = catalog
    .filter(service => officialType(service.type) === type && (!service_name || service.name === service_name))
    .flatMap(service => service.endpoints)
    .filter(endpoint => !region_name || (endpoint.region_id ?? endpoint.region) === region_name);
  for (const wanted of valid_interfaces) {
    const found = endpoints.find(endpoint => endpoint.interface === wanted.replace(/URL$/, ''));
    if (found) return found.url;
  }
  throw new CellarError(
    'config',
    `Keystone's catalog has no endpoint of ${describe({...query, valid_interfaces})}; ${inventory(catalog)}`,
    {
      hint: 'correct service_type, service_name, valid_interfaces or region_name, or set endpoint_override',
    },
  );
}

/** Catalogs hold a project's name or a version where the service type should stand: glance, imagev2. */
function officialType(type: string): string {
  const plain = type
    .toLowerCase()
    .replaceAll('_', '-')
    .replace(/-?v\d+$/, '');
  return plain === 'glance' ? 'image' : plain;
}

function describe({service_type, service_name, valid_interfaces = [], region_name}: EndpointQuery): string {
  const name = service_name ? ` named ${service_name}` : '';
  const region = region_name ? ` in region ${region_name}` : '';
  return `service type ${service_type}${name}, interface ${valid_interfaces.join(' or ')}${region}`;
}

function inventory(catalog: Catalog): string {
  if (catalog.length === 0) return 'it is empty: the token may have no scope';
  const services = catalog.map(({type, name, endpoints}) => {
    const list = endpoints.map(one => `${one.interface} in ${one.region_id ?? one.region ?? 'no region'}`);
    return `${type}${name ? ` named ${name}` : ''} (${list.join(', ') || 'no endpoints'})`;
  });
  return `it has: ${gist(services.join('; '), 1000)}`;
}
