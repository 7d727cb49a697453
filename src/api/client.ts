/** The agent's API from the other side: typed, over the socket, with the agent's errors as they were thrown there. */
import type {z} from 'zod';
import type {DiskSpec} from '../core/ports.ts';
import type {Progress} from '../core/request.ts';
import {diskName, imageId, poolName} from './names.ts';
import {parse} from './parse.ts';
import type {Method} from './router.ts';
import {exchange, type Transport} from './transport.ts';
import * as wire from './wire.ts';

export type ClientOptions = {
  /** The socket's path. */
  socket: string;
  /** This side's version. */
  version: string;
  /** Told once when the agent is of another version. The request goes on all the same. */
  onOtherVersion?: (agent: string) => void;
};

export type CallOptions = {
  signal?: AbortSignal;
  /** Milliseconds for the whole call. Reads have a minute, writes as long as the agent takes by its own limits. */
  timeout?: number;
  /** Of the form req-<uuid>; made up by the agent without it. */
  requestId?: string;
};

/** With it the answer comes in lines. */
export type Reporting = {onProgress?: (progress: Progress) => void};

/** A disk to be made: `size` in bytes. */
export type NewDisk = DiskSpec & {image: string; size?: number; token?: string};

/** Every method fails with a CellarError: the agent's own, or `unreachable`, `forbidden`, `timeout`, `cancelled`. */
export interface Client {
  createDisk(disk: NewDisk, options?: CallOptions & Reporting): Promise<wire.DiskAnswer>;
  showDisk(disk: DiskSpec, options?: CallOptions): Promise<wire.DiskViewAnswer>;
  deleteDisk(disk: DiskSpec, options?: CallOptions): Promise<wire.DeletionAnswer>;
  listImages(options?: CallOptions): Promise<wire.ImagesAnswer>;
  showImage(id: string, options?: CallOptions): Promise<wire.ImageAnswer>;
  prefetchImage(image: {id: string; token?: string}, options?: CallOptions & Reporting): Promise<wire.PrefetchAnswer>;
  verifyImage(id: string, options?: CallOptions & Reporting): Promise<wire.VerificationAnswer>;
  pinImage(id: string, options?: CallOptions): Promise<wire.PinAnswer>;
  unpinImage(id: string, options?: CallOptions): Promise<wire.PinAnswer>;
  evictImage(id: string, options?: CallOptions): Promise<wire.EvictionAnswer>;
  status(options?: CallOptions): Promise<wire.StatusAnswer>;
  fills(options?: CallOptions): Promise<wire.FillsAnswer>;
  health(options?: CallOptions): Promise<wire.HealthAnswer>;
}

/** Opens nothing: every call has a connection of its own, so a client needs no closing. */
export function createClient(options: ClientOptions): Client {
  const transport: Transport = {...options, onOtherVersion: once(options.onOtherVersion ?? (() => {}))};
  const read = <Schema extends z.ZodType>(path: string, schema: Schema, call: CallOptions = {}) =>
    exchange(transport, {method: 'GET', path, timeout: minute, ...call}, schema);
  const write = <Schema extends z.ZodType>(method: Method, path: string, schema: Schema, call: CallOptions = {}) =>
    exchange(transport, {method, path, timeout: long, ...call}, schema);
  return {
    // Async, so that a refusal here rejects like one of the agent.
    async createDisk({pool, name, image, size, token}, call = {}) {
      const body = {image, ...(size !== undefined && {size})};
      parse(wire.diskRequest, {...body, ...(token !== undefined && {token})}, 'the disk');
      const path = diskPath({pool, name});
      const ask = {method: 'PUT', path, body, timeout: long, ...call, ...(token !== undefined && {token})} as const;
      return exchange(transport, ask, wire.diskAnswer);
    },
    showDisk: async (disk, call) => read(diskPath(disk), wire.diskViewAnswer, call),
    deleteDisk: async (disk, call) => write('DELETE', diskPath(disk), wire.deletionAnswer, call),
    listImages: async call => read('/v1/images', wire.imagesAnswer, call),
    showImage: async (id, call) => read(imagePath(id), wire.imageAnswer, call),
    async prefetchImage({id, token}, call = {}) {
      const body = {};
      parse(wire.prefetchRequest, {...(token !== undefined && {token})}, 'the prefetch');
      const path = `${imagePath(id)}/prefetch`;
      const ask = {method: 'POST', path, body, timeout: long, ...call, ...(token !== undefined && {token})} as const;
      return exchange(transport, ask, wire.prefetchAnswer);
    },
    verifyImage: async (id, call) => write('POST', `${imagePath(id)}/verify`, wire.verificationAnswer, call),
    pinImage: async (id, call) => write('PUT', `${imagePath(id)}/pin`, wire.pinAnswer, call),
    unpinImage: async (id, call) => write('DELETE', `${imagePath(id)}/pin`, wire.pinAnswer, call),
    evictImage: async (id, call) => write('DELETE', imagePath(id), wire.evictionAnswer, call),
    status: async call => read('/v1/status', wire.statusAnswer, call),
    fills: async call => read('/v1/fills', wire.fillsAnswer, call),
    health: async call => read('/healthz', wire.healthAnswer, call),
  };
}

const minute = 60_000;
/** A little longer than the agent's own limit, which has the better words. */
const long = 2 * 60 * minute + minute;

/** Checked on this side too: a URL with '..' in it would be folded before the agent could refuse it. */
function diskPath({pool, name}: DiskSpec): string {
  const parts = [parse(poolName, pool, 'the disk'), parse(diskName, name, 'the disk')];
  return `/v1/disks/${parts.map(encodeURIComponent).join('/')}`;
}

const imagePath = (id: string) => `/v1/images/${parse(imageId, id, 'the image id')}`;

function once<Args extends unknown[]>(act: (...args: Args) => void): (...args: Args) => void {
  let done = false;
  return (...args) => {
    if (!done) act(...args);
    done = true;
  };
}
