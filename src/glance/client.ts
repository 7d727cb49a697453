/** Glance over HTTP: the core's `Images`. */
import {CellarError, type ErrorKind} from '../core/errors.ts';
import type {ImageLocation, ImageRecord, Requester} from '../core/image.ts';
import type {Download, Images} from '../core/ports.ts';
import {SingleFlight} from '../core/single-flight.ts';
import {excerpt} from '../http/exchange.ts';
import {aborted} from '../http/failure.ts';
import {toDownload} from './download.ts';
import type {Identity} from './identity.ts';
import {checkImageId, parseLocations, parseRecord} from './record.ts';
import {jsonOf, refusal} from './refusal.ts';
import {type RequestOptions, Requests} from './requests.ts';
import {Versions} from './versions.ts';

export type GlanceOptions = RequestOptions & {
  /** Seconds without a byte of an image while one is wanted. Default 60. */
  idle_timeout?: number | undefined;
  /** Seconds that a server's list of versions is believed. Default 600. */
  versions_ttl?: number | undefined;
};

/** Kinds that mean "not for you", or "not on this server". */
const outOfReach: ReadonlySet<ErrorKind> = new Set(['unauthorized', 'forbidden', 'not-found']);

/** `identity` is the agent's own; without it only requesters' tokens are used, and no service-role call is made. */
export class GlanceClient implements Images {
  readonly #requests: Requests;
  readonly #versions: Versions;
  readonly #records = new SingleFlight<ImageRecord>();
  readonly #idle: number;
  readonly #identity: Identity | undefined;

  /** Fails with `config` when an address or a file is wrong; Glance is not asked yet. */
  constructor(options: GlanceOptions, identity?: Identity) {
    this.#requests = new Requests(options, identity);
    this.#versions = new Versions((options.versions_ttl ?? 600) * 1000);
    this.#idle = (options.idle_timeout ?? 60) * 1000;
    this.#identity = identity;
  }

  /**
   * Requests that come while the same requester's question for the same image is in the air share its answer: of a herd of
   * disks Glance is asked once, or a few times. Nothing is remembered: the next one is asked anew.
   */
  async get(id: string, requester: Requester, signal: AbortSignal): Promise<ImageRecord> {
    const key = JSON.stringify([id, requester.token ?? null]);
    try {
      return (await this.#records.run(key, flight => this.#get(id, requester, flight.signal), {signal})).value;
    } catch (error) {
      throw signal.aborted ? left(id, signal) : error;
    }
  }

  async #get(id: string, requester: Requester, signal: AbortSignal): Promise<ImageRecord> {
    const answer = await this.#requests.text({path: `/v2/images/${checkImageId(id)}`, requester, signal, object: id});
    if (answer.status !== 200) throw refusal(answer, id);
    return parseRecord(jsonOf(answer, id), id);
  }

  async locations(record: ImageRecord, signal: AbortSignal): Promise<ImageLocation[]> {
    if (!this.#identity) return record.locations;
    try {
      return (await this.#offersLocations(signal)) ? await this.#serviceLocations(record.id, signal) : record.locations;
    } catch (error) {
      // Policy keeps us out, or this server of several is an older one: what the record shows is what there is to see.
      if (error instanceof CellarError && outOfReach.has(error.kind)) return record.locations;
      throw error;
    }
  }

  async listable(signal: AbortSignal): Promise<boolean> {
    const answer = await this.#requests.text({path: '/v2/images?limit=1', requester: {}, signal});
    return answer.status === 200 && isList(answer.text);
  }

  /**
   * Does Glance answer at all? Asks for its versions, without credentials; `list`: for a list of one image where the agent has a login,
   * for which Glance needs its database and Keystone too. Fails when there is no answer, or one of 5xx.
   */
  async answers(signal: AbortSignal, {list}: {list: boolean}): Promise<void> {
    if (list && this.#identity) await this.listable(signal);
    else await this.#requests.text({path: '/versions', signal});
  }

  /** The body is to be iterated, once, or the signal aborted: until then its connection is open. */
  async download(record: ImageRecord, requester: Requester, signal: AbortSignal): Promise<Download> {
    const {id} = record;
    const path = `/v2/images/${checkImageId(id)}/file`;
    const answer = await this.#requests.stream({path, requester, signal, object: id});
    try {
      if (answer.status !== 200) throw refusal({...answer, text: await excerpt(answer.body)}, id);
      return toDownload(record, answer.headers, answer.body, {idle: this.#idle, signal});
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
  }

  /** Ends all connections, those of downloads included. */
  close(): void {
    this.#requests.close();
  }

  async #offersLocations(signal: AbortSignal): Promise<boolean> {
    const [server = ''] = await this.#requests.endpoints.list(signal);
    const known = this.#versions.known(server);
    if (known) return known.listsLocations;
    const answer = await this.#requests.text({path: '/versions', signal});
    return this.#versions.learn(answer.server, answer).listsLocations;
  }

  async #serviceLocations(id: string, signal: AbortSignal): Promise<ImageLocation[]> {
    const path = `/v2/images/${checkImageId(id)}/locations`;
    const answer = await this.#requests.text({path, requester: {}, signal, object: id});
    if (answer.status !== 200) throw refusal(answer, id);
    return parseLocations(jsonOf(answer, id), id);
  }
}

/** Whoever leaves is told so at once, in the words that a request of its own would end with. */
function left(id: string, signal: AbortSignal): CellarError {
  const why = aborted(signal);
  if (why === signal.reason) return why;
  return new CellarError(why.kind, `GET /v2/images/${id} of Glance: ${why.message}`, {object: id});
}

function isList(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text).images);
  } catch {
    return false;
  }
}
