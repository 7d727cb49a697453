/** The agent's API on one screen: the server walks this table, and openapi.ts publishes it. */
import type {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import type {Requester} from '../core/image.ts';
import type {Progress} from '../core/request.ts';
import type {Agent} from './agent.ts';
import {diskName, imageId, poolName} from './names.ts';
import {parse} from './parse.ts';
import type {Routed} from './router.ts';
import * as wire from './wire.ts';

/** A request that has a route: its parameters still as text, its body already JSON. */
export type Call = {
  agent: Agent;
  params: Record<string, string>;
  body: unknown;
  /** The token is the header's; a body may bring its own. */
  requester: Requester;
  /** Requests in flight besides this one. */
  others: number;
  signal: AbortSignal;
  onProgress: ((progress: Progress) => void) | undefined;
};

export type Route<Answer extends z.ZodType<object, object> = z.ZodType<object, object>> = Routed & {
  summary: string;
  /** The body's schema. Without one the request takes no body. */
  body?: z.ZodType;
  answer: Answer;
  /** Can its answer be lines? */
  streams?: true;
  text?: undefined;
  /** Checks what is left to check, then asks the agent. */
  run(call: Call): Promise<z.input<Answer>>;
};

/** One whose answer is no JSON. */
export type TextRoute = Routed & {
  summary: string;
  body?: undefined;
  /** What the answer is, for the published description. */
  media: string;
  text(call: Omit<Call, 'onProgress'>): Promise<{type: string; text: string}>;
};

/** Ties `run` to `answer`, so that the compiler holds the table to its own schemas. */
const route = <Answer extends z.ZodType<object, object>>(spec: Route<Answer>): Route => spec;

const v1 = <Value extends object>(value: Value) => ({schema: 1 as const, ...value});

export const routes: readonly (Route | TextRoute)[] = [
  route({
    method: 'PUT',
    path: '/v1/disks/{pool}/{name}',
    summary: 'Make a disk from an image; idempotent',
    body: wire.diskRequest,
    answer: wire.diskAnswer,
    streams: true,
    run: createDisk,
  }),
  route({
    method: 'GET',
    path: '/v1/disks/{pool}/{name}',
    summary: 'How a disk stands',
    answer: wire.diskViewAnswer,
    run: async ({agent, params, signal}) => v1(await agent.showDisk(disk(params), signal)),
  }),
  route({
    method: 'DELETE',
    path: '/v1/disks/{pool}/{name}',
    summary: 'Remove a disk, whole or torn; an absent one is fine',
    answer: wire.deletionAnswer,
    run: async ({agent, params, signal}) => {
      const spec = disk(params);
      return v1({...spec, ...(await agent.deleteDisk(spec, signal))});
    },
  }),
  route({
    method: 'GET',
    path: '/v1/images',
    summary: "The cell's cached copies",
    answer: wire.imagesAnswer,
    run: async ({agent, signal}) => {
      const {copies, ...rest} = await agent.listImages(signal);
      return v1({images: copies, ...rest});
    },
  }),
  route({
    method: 'GET',
    path: '/v1/images/{id}',
    summary: 'One cached copy',
    answer: wire.imageAnswer,
    run: ({agent, params, signal}) => agent.showImage(image(params), signal),
  }),
  route({
    method: 'DELETE',
    path: '/v1/images/{id}',
    summary: 'Evict a cached copy; disks that are clones of it live on, and no copy is fine',
    answer: wire.evictionAnswer,
    run: async ({agent, params, signal}) => v1(await agent.evictImage(image(params), signal)),
  }),
  route({
    method: 'POST',
    path: '/v1/images/{id}/prefetch',
    summary: 'Get an image into the cache; goes on when its caller leaves',
    body: wire.prefetchRequest,
    answer: wire.prefetchAnswer,
    streams: true,
    run: prefetch,
  }),
  route({
    method: 'POST',
    path: '/v1/images/{id}/verify',
    summary: 'Read a cached copy back; one that differs from what was stored is quarantined',
    answer: wire.verificationAnswer,
    streams: true,
    run: async ({agent, params, signal, onProgress}) =>
      v1(await agent.verifyImage(image(params), {signal, ...(onProgress && {onProgress})})),
  }),
  route({
    method: 'PUT',
    path: '/v1/images/{id}/pin',
    summary: 'Keep the copies of an image from being evicted, the ones to come too',
    answer: wire.pinAnswer,
    run: async ({agent, params, signal}) => v1(await agent.pinImage(image(params), signal)),
  }),
  route({
    method: 'DELETE',
    path: '/v1/images/{id}/pin',
    summary: 'Let the copies of an image be evicted again',
    answer: wire.pinAnswer,
    run: async ({agent, params, signal}) => v1(await agent.unpinImage(image(params), signal)),
  }),
  route({
    method: 'GET',
    path: '/v1/status',
    summary: 'How the agent and its partners are',
    answer: wire.statusAnswer,
    run: async ({agent, others, signal}) => v1({...(await agent.status(signal)), requests: others}),
  }),
  route({
    method: 'GET',
    path: '/v1/fills',
    summary: 'The fills of the cell, by whichever host',
    answer: wire.fillsAnswer,
    run: async ({agent, signal}) => v1({fills: await agent.fills(signal)}),
  }),
  route({
    method: 'GET',
    path: '/healthz',
    summary: 'The process answers; says nothing of Ceph or Glance',
    answer: wire.healthAnswer,
    run: async () => v1({state: 'ok' as const}),
  }),
  {
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics in the text format of Prometheus',
    media: wire.mediaTypes.metrics,
    text: ({agent}) => agent.metrics(),
  },
];

const disk = ({pool, name}: Record<string, string>) => ({
  pool: parse(poolName, pool, 'the path'),
  name: parse(diskName, name, 'the path'),
});

const image = ({id}: Record<string, string>) => parse(imageId, id, 'the image id');

async function createDisk({agent, params, body, requester, signal, onProgress}: Call): Promise<wire.DiskAnswer> {
  const {token, ...request} = parse(wire.diskRequest, body, 'the body');
  const result = await agent.createDisk(
    {...disk(params), ...request, requester: withToken(requester, token)},
    {signal, ...(onProgress && {onProgress})},
  );
  return v1(result);
}

async function prefetch({agent, params, body, requester, signal, onProgress}: Call): Promise<wire.PrefetchAnswer> {
  const {token} = parse(wire.prefetchRequest, body, 'the body');
  const options = {signal, ...(onProgress && {onProgress})};
  return v1(await agent.prefetchImage(image(params), withToken(requester, token), options));
}

function withToken(requester: Requester, token: string | undefined): Requester {
  if (token === undefined) return requester;
  if (requester.token === undefined || requester.token === token) return {...requester, token};
  throw new CellarError('usage', `the body's token and ${wire.headers.token} differ`, {hint: 'send one of them'});
}
