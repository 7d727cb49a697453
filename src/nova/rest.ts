/** Calls of Nova's and Placement's APIs, as whoever may: a few that all are JSON. */
import {CellarError, type ErrorKind} from '../core/errors.ts';
import {type Call, exchangeText, type TextAnswer} from '../http/exchange.ts';
import {gist, scrub, showUrl} from '../http/failure.ts';
import {isPassing, persist, type RetryOptions, retryAfter, retryPolicy, Setback} from '../http/retry.ts';
import {Transport, type TransportOptions} from '../http/transport.ts';
import type {EndpointQuery} from '../keystone/catalog.ts';

export type RestIdentity = {
  token(signal: AbortSignal): Promise<string>;
  invalidate(token: string): void;
  endpoint(query: EndpointQuery, signal: AbortSignal): Promise<string>;
};

export type RestOptions = TransportOptions & RetryOptions & {endpoint: EndpointQuery; version: string};

const answerLimit = 16 * 1024 * 1024;

export class Rest {
  readonly #identity: RestIdentity;
  readonly #options: RestOptions;
  readonly #transport: Transport;

  /** `version` is the value of OpenStack-API-Version. */
  constructor(identity: RestIdentity, options: RestOptions) {
    this.#identity = identity;
    this.#options = options;
    this.#transport = new Transport(options);
  }

  /**
   * The parsed answer of a 2xx, undefined without a body. Else a CellarError by the status, with what the service said. A
   * request is sent again when it did not get through: all of ours may be done twice.
   */
  async call(method: Call['method'], path: string, signal: AbortSignal, json?: object): Promise<unknown> {
    const base = await this.#identity.endpoint(this.#options.endpoint, signal);
    const url = `${base.replace(/\/+$/, '')}${path}`;
    let renewed = false;
    return persist(retryPolicy(this.#options), signal, async () => {
      const token = await this.#identity.token(signal);
      const headers = {
        'X-Auth-Token': token,
        'OpenStack-API-Version': this.#options.version,
        Accept: 'application/json',
      };
      const call = {method, url, headers, signal, ...(json !== undefined && {json})};
      const answer = await this.#exchange(call);
      if (answer.status === 401 && !renewed) {
        renewed = true;
        this.#identity.invalidate(token);
        throw new Setback(refusal(call, answer, token), {elsewhere: true});
      }
      if (answer.status >= 200 && answer.status < 300) return parseJson(answer.text);
      const error = refusal(call, answer, token);
      throw isPassing(answer.status) && method === 'GET'
        ? new Setback(error, {retryAfter: retryAfter(answer.headers)})
        : error;
    });
  }

  close(): void {
    this.#transport.close();
  }

  async #exchange(call: Call): Promise<TextAnswer> {
    try {
      return await exchangeText(this.#transport, call, answerLimit);
    } catch (error) {
      if (error instanceof CellarError && (error.kind === 'unavailable' || error.kind === 'timeout'))
        throw new Setback(error);
      throw error;
    }
  }
}

const kinds: Record<number, ErrorKind> = {
  400: 'usage',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
};

function refusal({method, url}: Call, {status, statusLine, text}: TextAnswer, token: string): CellarError {
  const said = gist(scrub(messageOf(text), [token]));
  const kind = kinds[status] ?? 'unavailable';
  return new CellarError(kind, `${method} ${showUrl(url)}: ${statusLine}${said && ` (${said})`}`, {
    ...(kind === 'forbidden' && {hint: 'this needs a login with the role admin'}),
  });
}

/** Nova wraps its message in an object named after the error, Placement in a list. */
function messageOf(text: string): string {
  const value = parseJson(text);
  const [first] = typeof value === 'object' && value !== null ? Object.values(value) : [];
  const one: unknown = Array.isArray(first) ? first[0] : first;
  const {message, detail} = (typeof one === 'object' && one !== null ? one : {}) as {
    message?: unknown;
    detail?: unknown;
  };
  return typeof message === 'string' ? message : typeof detail === 'string' ? detail : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
