/** A token of our own from Keystone: cached, renewed in time, asked for once however many want it. */
import {z} from 'zod';
import {asCellarError, CellarError} from '../core/errors.ts';
import {SingleFlight} from '../core/single-flight.ts';
import {exchangeText, type TextAnswer} from '../http/exchange.ts';
import {aborted, failure, gist, scrub, showUrl} from '../http/failure.ts';
import {isPassing, persist, type RetryOptions, retryAfter, retryPolicy, Setback} from '../http/retry.ts';
import {Transport, type TransportOptions} from '../http/transport.ts';
import {type AuthOptions, type AuthRequest, authRequest, tokensUrl} from './auth.ts';
import {type Catalog, catalogSchema, type EndpointQuery, findEndpoint} from './catalog.ts';

export type SessionOptions = TransportOptions &
  RetryOptions & {
    /** Told of each token that was asked of Keystone: the ms it took, and the error if there was one. Must not throw. */
    onAsked?: (ms: number, error: unknown) => void;
  };

type Grant = {
  token: string;
  catalog: Catalog;
  /** On our monotonic clock, in milliseconds. */
  expires: number;
  renew: number;
};

/** A catalog of a large cloud is some 100 kB. */
const answerLimit = 8 * 1024 * 1024;

/** Milliseconds to wait for a new token while the old one is good. */
const patience = 5000;

/** One identity at one Keystone. */
export class Session {
  readonly #request: AuthRequest;
  readonly #url: string;
  readonly #transport: Transport;
  readonly #policy;
  readonly #now: () => number;
  readonly #onAsked: SessionOptions['onAsked'];
  readonly #renewals = new SingleFlight<Grant>();
  #grant: Grant | undefined;
  /** Keystone was away when it was asked for a token last. */
  #away = false;

  /** Fails with `config` when an option is missing or a file cannot be read; Keystone is not asked yet. `now` is a monotonic clock. */
  constructor(auth: AuthOptions, options: SessionOptions = {}, now: () => number = () => performance.now()) {
    this.#request = authRequest(auth);
    this.#url = tokensUrl(auth.auth_url);
    this.#transport = new Transport(options);
    this.#policy = retryPolicy(options);
    this.#now = now;
    this.#onAsked = options.onAsked;
  }

  /** A token that is good for a while. `unauthorized` when Keystone does not accept who we are. */
  async token(signal: AbortSignal): Promise<string> {
    return (await this.#current(signal)).token;
  }

  /** The URL of a service, from the catalog that came with the token. `config` when it has none that fits. */
  async endpoint(query: EndpointQuery, signal: AbortSignal): Promise<string> {
    return findEndpoint((await this.#current(signal)).catalog, query);
  }

  /**
   * Does Keystone answer at all? Asks for its version document, without credentials; or for a token again, where it gave none to who asked
   * last because it was away, or, with `token`, where there is none that is good. Fails when there is no answer, or one of 5xx.
   */
  async answers(signal: AbortSignal, {token = false} = {}): Promise<void> {
    const isGood = this.#grant !== undefined && this.#now() < this.#grant.expires;
    if (this.#away || (token && !isGood)) return void (await this.#renew(signal));
    const url = this.#url.replace(/auth\/tokens$/, '');
    const {status, statusLine} = await exchangeText(
      this.#transport,
      {method: 'GET', url, headers: {}, signal},
      answerLimit,
    ).catch(error => {
      const {kind, message, hint, cause} = failure(error, signal);
      throw new CellarError(kind, `GET ${showUrl(url)}: ${message}`, {cause, ...(hint === undefined ? {} : {hint})});
    });
    if (isPassing(status)) throw new CellarError('unavailable', `GET ${showUrl(url)}: ${statusLine}`);
  }

  /** Somebody refused this token: the next one is new. A token that was replaced meanwhile costs nothing. */
  invalidate(token: string): void {
    if (this.#grant?.token === token) this.#grant = undefined;
  }

  /** Ends the connections. */
  close(): void {
    this.#transport.close();
  }

  async #current(signal: AbortSignal): Promise<Grant> {
    const grant = this.#grant;
    const now = this.#now();
    if (grant && now < grant.renew) return grant;
    try {
      return await this.#renew(signal);
    } catch (error) {
      // Renewal begins before the end: while Keystone is away, what we have serves on, asking again now and then.
      const told = signal.aborted ? aborted(signal) : asCellarError(error);
      if (!isAway(told) || !grant || this.#grant !== grant || now >= grant.expires) throw told;
      grant.renew = this.#now() + 10_000;
      return grant;
    }
  }

  async #renew(signal: AbortSignal): Promise<Grant> {
    const {value} = await this.#renewals.run(
      'token',
      async flight => {
        const spare = this.#grant && this.#now() < this.#grant.expires;
        // A Keystone that hangs must not hold up those who could go on with the token in hand.
        const limit = spare ? AbortSignal.any([flight.signal, AbortSignal.timeout(patience)]) : flight.signal;
        this.#grant = await this.#timed(this.#authenticate(limit));
        return this.#grant;
      },
      {signal},
    );
    return value;
  }

  async #timed(asked: Promise<Grant>): Promise<Grant> {
    const started = performance.now();
    try {
      const grant = await asked;
      this.#away = false;
      this.#onAsked?.(performance.now() - started, undefined);
      return grant;
    } catch (error) {
      // Who left has heard nothing of Keystone.
      if (asCellarError(error).kind !== 'cancelled') this.#away = isAway(error);
      this.#onAsked?.(performance.now() - started, error);
      throw error;
    }
  }

  async #authenticate(signal: AbortSignal): Promise<Grant> {
    return persist(this.#policy, signal, async () => {
      const asked = this.#now();
      let answer: TextAnswer;
      try {
        const call = {method: 'POST', url: this.#url, json: this.#request.body, signal} as const;
        answer = await exchangeText(this.#transport, call, answerLimit);
      } catch (error) {
        const {kind, message, hint, cause} = failure(error, signal);
        const told = new CellarError(kind, `${this.#act()}: ${message}`, {
          cause,
          ...(hint === undefined ? {} : {hint}),
        });
        throw kind === 'unavailable' || kind === 'timeout' ? new Setback(told) : told;
      }
      if (isPassing(answer.status)) throw new Setback(this.#refusal(answer), {retryAfter: retryAfter(answer.headers)});
      if (answer.status !== 201) throw this.#refusal(answer);
      return this.#grantOf(answer, asked);
    });
  }

  #grantOf({headers, text}: TextAnswer, asked: number): Grant {
    const token = headers['x-subject-token'];
    if (typeof token !== 'string' || !token) throw this.#garbled('it has no X-Subject-Token');
    const parsed = grantSchema.safeParse(parseJson(text));
    if (!parsed.success)
      throw this.#garbled(
        parsed.error.issues
          .slice(0, 5)
          .map(({path, message}) => `${path.join('.')}: ${message}`)
          .join('; '),
      );
    const {issued_at, expires_at, catalog} = parsed.data.token;
    // Both times are Keystone's: their difference holds on any clock. Counted from before we asked, so never too long.
    const lifetime = Date.parse(expires_at) - Date.parse(issued_at);
    const margin = Math.min(120_000, lifetime / 4);
    return {token, catalog, expires: asked + lifetime, renew: asked + lifetime - margin};
  }

  #refusal({status, statusLine, headers, text}: TextAnswer): CellarError {
    const said = gist(scrub(keystoneMessage(text), this.#request.secrets));
    const location = status >= 300 && status < 400 ? `, a redirect to ${showUrl(String(headers.location))}` : '';
    const message = `${this.#act()}: ${statusLine}${location}${said ? ` (${said})` : ''}`;
    if (isPassing(status)) return new CellarError('unavailable', message);
    if (status === 401) {
      return new CellarError('unauthorized', message, {
        hint: 'check the user, its domain and password (or the credential), and its role in the project',
      });
    }
    if (status === 403) return new CellarError('forbidden', message);
    return new CellarError('config', message, {hint: "check auth_url: it must be Keystone's, with or without /v3"});
  }

  #garbled(why: string): CellarError {
    return new CellarError('unavailable', `${this.#act()}: the answer is not Keystone's: ${why}`, {
      hint: "check auth_url: it must be Keystone's, with or without /v3",
    });
  }

  #act(): string {
    return `POST ${showUrl(this.#url)} for ${this.#request.who}`;
  }
}

function isAway(error: unknown): boolean {
  const {kind} = asCellarError(error);
  return kind === 'unavailable' || kind === 'timeout';
}

const time = z.string().refine(text => !Number.isNaN(Date.parse(text)), 'not a time');

const grantSchema = z.object({
  token: z.object({issued_at: time, expires_at: time, catalog: catalogSchema.default([])}),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function keystoneMessage(text: string): string {
  const parsed = z.object({error: z.object({message: z.string()})}).safeParse(parseJson(text));
  return parsed.success ? parsed.data.error.message : text;
}
