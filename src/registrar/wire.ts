/** What agents and cellar-registrar say to each other. Requests are strict; answers hold names and uuids, and nothing of a cell's URLs. */
import {z} from 'zod';

/** One that can stand in a path, a log line and a certificate. */
const name = z
  .string()
  .min(1, 'is empty')
  .max(255, 'is longer than 255 characters')
  .regex(/^[!-.0-~]+$/, "may hold printable ASCII characters only, and no space or '/'");

/** The name or the uuid of the cell that the host says it is in; null: it does not say. */
const claim = z.string().min(1, 'is empty').max(255, 'is longer than 255 characters').nullable().default(null);

/** Where the host's message bus is, without who logs in there; null: it does not say. */
const bus = z
  .strictObject({servers: z.array(name).max(32, 'are more than 32'), virtualHost: z.string().max(255, 'is too long')})
  .nullable()
  .default(null);

/** Of POST /v1/cell: which cell would it be? */
export const cellRequest = z.strictObject({host: name, cell: claim, bus});

/** Of POST /v1/hosts: map it. `uuid` and `node` are those of its compute node. */
export const hostRequest = z.strictObject({
  host: name,
  node: name,
  uuid: z.guid('must be a UUID').toLowerCase(),
  cell: claim,
  bus,
});

const schema = z.literal(1);
const cell = z.object({name: z.string().nullable(), uuid: z.string()});

export const cellAnswer = z.object({schema, host: z.string(), cell});

export const hostAnswer = z.object({
  schema,
  host: z.string(),
  node: z.string(),
  uuid: z.string(),
  cell,
  /** created: it was mapped now. existing: it was mapped there before. */
  mapped: z.enum(['created', 'existing']),
});

/** Of GET /v1/hosts/HOST. */
export const mappingAnswer = z.object({schema, host: z.string(), cell: cell.nullable()});

export const healthAnswer = z.object({schema, state: z.literal('ok')});

export const hostName = name;

export type CellRequest = z.output<typeof cellRequest>;
export type HostRequest = z.output<typeof hostRequest>;
export type CellAnswer = z.infer<typeof cellAnswer>;
export type HostAnswer = z.infer<typeof hostAnswer>;
export type MappingAnswer = z.infer<typeof mappingAnswer>;
