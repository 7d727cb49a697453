/**
 * The wire: what goes over the agent's socket, as schemas that the server, the client and docs/api/openapi.json share.
 * Requests are strict: an unknown field is an error, because it may be one that this agent is too old to obey. Answers may
 * gain fields, so readers ignore what they do not know; `schema` changes only when a field changes its meaning or goes away.
 */
import {z} from 'zod';
import type {FillView} from '../core/board.ts';
import type {Copy, Eviction, Pinning, Prefetched, Verified} from '../core/cache.ts';
import {errorKinds} from '../core/errors.ts';
import type {Retired} from '../core/evict.ts';
import type {RegistrationStatus} from '../core/registration.ts';
import type {DiskResult, Progress} from '../core/request.ts';
import type {DiskView, Status} from './agent.ts';
import {diskSize, imageId, token} from './names.ts';

export const headers = {
  version: 'Cellar-Version',
  requestId: 'X-OpenStack-Request-ID',
  token: 'X-Auth-Token',
} as const;

export const mediaTypes = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  metrics: 'text/plain; version=0.0.4',
} as const;

const schema = z.literal(1);
const bytes = z.int().nonnegative();
const milliseconds = z.number().nonnegative();

const snapshotSpec = z.object({pool: z.string(), image: z.string(), snapshot: z.string()});

export const diskRequest = z.strictObject({
  image: imageId,
  size: diskSize.exactOptional(),
  token: token.exactOptional(),
});

const outcome = z.enum(['exists', 'cloned', 'cloned-from-cache', 'filled']);
const road = z.object({
  road: z.enum(['exists', 'location', 'cached', 'fill']),
  taken: z.boolean(),
  why: z.string(),
});
const timings = z.object({
  total: milliseconds,
  glance: milliseconds.exactOptional(),
  wait: milliseconds.exactOptional(),
  fill: milliseconds.exactOptional(),
  clone: milliseconds.exactOptional(),
});

export const diskAnswer = z.object({
  schema,
  outcome,
  pool: z.string(),
  name: z.string(),
  size: bytes,
  parent: snapshotSpec,
  glanceBytes: bytes,
  timings,
  roads: z.array(road),
}) satisfies z.ZodType<DiskResult & Versioned>;

const intent = z.object({
  schema,
  host: z.string(),
  run: z.string(),
  since: z.string(),
  image: z.string(),
  parent: snapshotSpec,
});

export const diskViewAnswer = z.object({
  schema,
  pool: z.string(),
  name: z.string(),
  state: z.enum(['whole', 'torn', 'being-made']),
  size: bytes.nullable(),
  parent: snapshotSpec.nullable(),
  registered: z.boolean(),
  empty: z.boolean(),
  why: z.string().exactOptional(),
  intent: intent.exactOptional(),
}) satisfies z.ZodType<DiskView & Versioned>;

export const deletionAnswer = z.object({schema, pool: z.string(), name: z.string(), deleted: z.boolean()});

export const imageAnswer = z.object({
  schema,
  image: z.string(),
  generation: z.string(),
  rbdImage: z.string(),
  snapshot: z.string(),
  size: bytes,
  stored: bytes.meta({description: 'What it takes in the pool: holes are not stored.'}),
  ownReadable: z
    .boolean()
    .meta({description: "Could the agent's own identity read the image? Then a later 404 evicts it."}),
  source: z.object({
    diskFormat: z.string(),
    size: bytes,
    digests: z.record(z.string(), z.string()),
    verified: z.boolean(),
  }),
  rawDigest: z.string(),
  created: z.string(),
  host: z.string(),
  pinned: z.boolean(),
  lastUse: z.string().nullable(),
}) satisfies z.ZodType<Copy>;

const retired = z.object({
  schema,
  image: z.string(),
  rbdImage: z.string(),
  stored: bytes,
  since: z.string(),
  why: z.string(),
  quarantined: z.boolean(),
}) satisfies z.ZodType<Retired>;

export const imagesAnswer = z.object({
  schema,
  images: z.array(imageAnswer),
  retired: z.array(retired).meta({description: 'Evicted or replaced, and gone when their last clone is.'}),
  pins: z.array(z.string()).meta({description: 'Images that are pinned, with a copy or without.'}),
});

export const prefetchRequest = z.strictObject({token: token.exactOptional()});

export const prefetchAnswer = z.object({
  schema,
  image: z.string(),
  outcome: z.enum(['filled', 'exists']),
  size: bytes,
  glanceBytes: bytes,
}) satisfies z.ZodType<Prefetched & Versioned>;

export const verificationAnswer = z.object({
  schema,
  image: z.string(),
  rbdImage: z.string(),
  size: bytes,
  intact: z.boolean().meta({description: 'false: the copy differs from what was stored, and is quarantined now.'}),
}) satisfies z.ZodType<Verified & Versioned>;

export const pinAnswer = z.object({
  schema,
  image: z.string(),
  pinned: z.boolean(),
  cached: z.boolean(),
}) satisfies z.ZodType<Pinning & Versioned>;

export const evictionAnswer = z.object({
  schema,
  image: z.string(),
  evicted: z.boolean(),
}) satisfies z.ZodType<Eviction & Versioned>;

export const progress = z.object({image: z.string(), received: bytes, size: bytes}) satisfies z.ZodType<Progress>;

const part = {
  state: z.enum(['up', 'down', 'unknown']),
  asked: z.string().exactOptional().meta({description: 'When it answered last, or was found down.'}),
  why: z.string().exactOptional(),
};

const registration = z.object({
  state: z.enum(['off', 'waiting', 'registered', 'mapped', 'refused']),
  why: z.string().exactOptional(),
  hint: z.string().exactOptional(),
  node: z.object({name: z.string(), uuid: z.string()}).exactOptional(),
  cell: z.object({name: z.string().nullable(), uuid: z.string()}).exactOptional(),
}) satisfies z.ZodType<RegistrationStatus>;

export const statusAnswer = z.object({
  schema,
  version: z.string(),
  host: z.string(),
  cell: z.string().exactOptional(),
  since: z.string(),
  ceph: z.object({...part, fsid: z.string().nullable(), user: z.string(), pool: z.string()}),
  glance: z.object({...part, url: z.string().nullable()}),
  keystone: z.object({...part, url: z.string().nullable()}),
  spool: z
    .object({state: part.state, directory: z.string(), why: part.why})
    .exactOptional()
    .meta({description: 'Where images wait that must be converted; down: none can be.'}),
  registration,
  fills: z.array(progress),
  cached: z
    .object({
      images: z.int().nonnegative(),
      bytes,
      stored: bytes.exactOptional().meta({description: 'What they take in the pool: holes are not stored.'}),
      limit: bytes.nullable().exactOptional().meta({description: 'What they may take in the pool; null: no limit.'}),
    })
    .nullable(),
  mishaps: z
    .array(z.object({at: z.string(), message: z.string(), requestId: z.string().exactOptional()}))
    .exactOptional()
    .meta({description: 'What went wrong last on this host, newest first.'}),
  eventLoop: z
    .object({p99Ms: milliseconds, maxMs: milliseconds})
    .meta({description: "How late the agent's event loop was, of the last minute the worst ten seconds."}),
  requests: z.int().nonnegative().meta({description: 'Requests in flight, this one not counted.'}),
}) satisfies z.ZodType<Status & Versioned & {requests: number}>;

export const fillsAnswer = z.object({
  schema,
  fills: z.array(
    z.object({
      image: z.string(),
      generation: z.string(),
      state: z
        .enum(['filling', 'left'])
        .meta({description: 'left: nobody holds its lease; its filler died, or has just ended.'}),
      host: z.string().nullable().meta({description: 'null, as are the bytes, until something was heard of it.'}),
      received: bytes.nullable(),
      size: bytes.nullable(),
    }) satisfies z.ZodType<FillView>,
  ),
});

export const healthAnswer = z.object({schema, state: z.literal('ok')});

/** The kind stays text for readers: a newer agent may know one more than they do. */
export const errorAnswer = z.object({
  schema,
  error: z.object({
    kind: z.string().meta({description: `One of: ${Object.keys(errorKinds).join(', ')}.`}),
    message: z.string(),
    hint: z.string().exactOptional(),
    object: z.string().exactOptional(),
    requestId: z.string(),
  }),
});

/** One line of a streamed answer: any number of `progress`, then one `result` (what the request would be answered in one piece) or `error`, then the end. */
export const streamLine = z.union([
  z.object({progress}),
  z.object({result: z.union([diskAnswer, prefetchAnswer, verificationAnswer])}),
  z.object({error: errorAnswer.shape.error}),
]);

type Versioned = {schema: 1};

export type {Progress} from '../core/request.ts';
export type {Deletion, DiskView, PartState, Status} from './agent.ts';
export type DiskAnswer = z.infer<typeof diskAnswer>;
export type DiskViewAnswer = z.infer<typeof diskViewAnswer>;
export type DeletionAnswer = z.infer<typeof deletionAnswer>;
export type ImageAnswer = z.infer<typeof imageAnswer>;
export type ImagesAnswer = z.infer<typeof imagesAnswer>;
export type PrefetchAnswer = z.infer<typeof prefetchAnswer>;
export type VerificationAnswer = z.infer<typeof verificationAnswer>;
export type PinAnswer = z.infer<typeof pinAnswer>;
export type EvictionAnswer = z.infer<typeof evictionAnswer>;
export type StatusAnswer = z.infer<typeof statusAnswer>;
export type FillsAnswer = z.infer<typeof fillsAnswer>;
export type HealthAnswer = z.infer<typeof healthAnswer>;
export type ErrorAnswer = z.infer<typeof errorAnswer>;
