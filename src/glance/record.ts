/** Glance's JSON as an ImageRecord: read once here, trusted everywhere else. */
import {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import type {ImageLocation, ImageRecord} from '../core/image.ts';
import {gist} from '../http/failure.ts';

/** Throws `usage` for anything but a UUID: the id goes into a path. */
export function checkImageId(id: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return id;
  throw new CellarError('usage', `${JSON.stringify(id.slice(0, 80))} is not an image id`, {
    hint: 'image ids are UUIDs',
  });
}

/** The body of GET /v2/images/{id}; `corrupt` with what is wrong in it. */
export function parseRecord(body: unknown, id: string): ImageRecord {
  const {data, error} = recordSchema.safeParse(body);
  if (error) throw wrongShape('the record', id, error);
  if (data.id.toLowerCase() !== id.toLowerCase()) {
    throw new CellarError('corrupt', `Glance answered for image ${id} with the record of ${gist(data.id)}`, {
      object: id,
    });
  }
  const {direct_url, locations} = data;
  return {
    id: data.id,
    name: data.name ?? '',
    status: data.status,
    diskFormat: data.disk_format ?? undefined,
    containerFormat: data.container_format ?? undefined,
    size: data.size ?? undefined,
    virtualSize: data.virtual_size ?? undefined,
    checksum: data.checksum || undefined,
    osHashAlgo: data.os_hash_algo || undefined,
    osHashValue: data.os_hash_value || undefined,
    minDisk: data.min_disk ?? 0,
    // As Nova does: the one location that all deployments may show comes last.
    locations: unique(direct_url ? [...locations, {url: direct_url, metadata: {}}] : locations),
  };
}

/** The body of GET /v2/images/{id}/locations. */
export function parseLocations(body: unknown, id: string): ImageLocation[] {
  const {data, error} = locationsSchema.safeParse(body);
  if (error) throw wrongShape('the locations', id, error);
  return unique(data);
}

const bytes = z.int().nonnegative().nullish();
const hex = z
  .string()
  .regex(/^[0-9a-f]*$/i, 'not hexadecimal')
  .toLowerCase()
  .nullish();

const locationsSchema = z.array(
  z.object({url: z.string(), metadata: z.record(z.string(), z.unknown()).nullish()}).transform(({url, metadata}) => ({
    url,
    metadata: metadata ?? {},
  })),
);

const recordSchema = z.object({
  id: z.string(),
  name: z.string().nullish(),
  status: z.string(),
  disk_format: z.string().nullish(),
  container_format: z.string().nullish(),
  size: bytes,
  virtual_size: bytes,
  checksum: hex,
  os_hash_algo: z.string().nullish(),
  os_hash_value: hex,
  min_disk: z.int().nonnegative().nullish(),
  locations: locationsSchema.nullish().transform(list => list ?? []),
  direct_url: z.string().nullish(),
});

function unique(locations: ImageLocation[]): ImageLocation[] {
  return locations.filter(({url}, index) => locations.findIndex(other => other.url === url) === index);
}

function wrongShape(what: string, id: string, error: z.ZodError): CellarError {
  const issues = error.issues.slice(0, 5).map(({path, message}) => `${path.join('.') || '(the whole)'}: ${message}`);
  return new CellarError(
    'corrupt',
    `Glance sent ${what} of image ${id} in a shape it should not have: ${issues.join('; ')}`,
    {
      hint: "check that the endpoint is Glance's v2 API",
      object: id,
    },
  );
}
