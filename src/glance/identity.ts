/** The headers that say who asks. */
import {CellarError} from '../core/errors.ts';
import type {Requester} from '../core/image.ts';

/** The agent's own identity at Keystone, as far as Glance's client needs it. */
export interface Identity {
  token(signal: AbortSignal): Promise<string>;
  /** The token was refused: the next one is to be new. */
  invalidate(token: string): void;
  endpoint(
    query: {
      service_type: string;
      service_name?: string | undefined;
      valid_interfaces?: string[] | undefined;
      region_name?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<string>;
}

export type Credentials = {
  headers: Record<string, string>;
  secrets: string[];
  /** Drops our own token after a 401; false when a new one would not help. */
  renew(): boolean;
};

/** A 401 for a user's token may be about the service token sent with it; not if that one is as new as this. */
const fresh = 60_000;

/** Makes a request's headers from the requester's token, or from our own; with `serviceToken` a user's goes with ours. */
export class Identification {
  readonly #own: Identity | undefined;
  readonly #serviceToken: boolean;
  readonly #requestId: () => string | undefined;
  #seen = {token: '', since: 0};

  /** `requestId`: of the work at hand, for what is asked in nobody's name. */
  constructor(own: Identity | undefined, serviceToken: boolean, requestId: () => string | undefined = () => undefined) {
    this.#requestId = requestId;
    this.#own = own;
    this.#serviceToken = serviceToken;
  }

  async credentials({token, requestId}: Requester, signal: AbortSignal): Promise<Credentials> {
    const trace = requestIdHeader(requestId ?? this.#requestId());
    if (token === undefined) {
      const own = await this.#ownToken(signal);
      return {headers: {...trace, 'x-auth-token': own}, secrets: [own], renew: () => this.#drop(own)};
    }
    if (!/^[\x21-\x7e]+$/.test(token)) throw new CellarError('unauthorized', 'the token has characters no token has');
    const headers = {...trace, 'x-auth-token': token};
    if (!this.#serviceToken || !this.#own) return {headers, secrets: [token], renew: () => false};
    const own = await this.#ownToken(signal);
    const {since} = this.#seen;
    const renew = () => performance.now() - since > fresh && this.#drop(own);
    return {headers: {...headers, 'x-service-token': own}, secrets: [token, own], renew};
  }

  async #ownToken(signal: AbortSignal): Promise<string> {
    if (!this.#own) {
      throw new CellarError('unauthorized', 'the request came without a token, and the agent has no user of its own', {
        hint: 'send a token, or set auth_type and the rest in [service_user]',
      });
    }
    const token = await this.#own.token(signal);
    if (token !== this.#seen.token) this.#seen = {token, since: performance.now()};
    return token;
  }

  #drop(token: string): boolean {
    this.#own?.invalidate(token);
    return true;
  }
}

/** oslo.context takes a global request id of this form only; anything else would be ignored there. */
function requestIdHeader(requestId: string | undefined): Record<string, string> {
  const uuid = /^(?:req-)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i.exec(requestId ?? '')?.[1];
  return uuid === undefined ? {} : {'x-openstack-request-id': `req-${uuid}`};
}
