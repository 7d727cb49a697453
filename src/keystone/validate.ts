/** Whose token is this? Asked of Keystone, with a token of our own. */
import {z} from 'zod';
import {asCellarError, CellarError} from '../core/errors.ts';
import {exchangeText, type TextAnswer} from '../http/exchange.ts';
import {showUrl} from '../http/failure.ts';
import {Transport, type TransportOptions} from '../http/transport.ts';
import {tokensUrl} from './auth.ts';

type Named = {id: string; name: string};

/** A user or a project. Its name is unique in its domain only. */
export type OfDomain = Named & {domain?: Named | undefined};

/** What Keystone says of a token that is good. */
export type TokenFacts = {
  user: OfDomain;
  /** undefined: it is of a domain, of the system, or of nothing. */
  project: OfDomain | undefined;
  roles: string[];
};

/** Who asks. */
export type Asker = {token(signal: AbortSignal): Promise<string>; invalidate(token: string): void};

/** Without the catalog an answer has some kB. */
const answerLimit = 1024 * 1024;

export class TokenValidator {
  readonly #asker: Asker;
  readonly #url: string;
  readonly #transport: Transport;

  constructor(asker: Asker, authUrl: string, options: TransportOptions = {}) {
    this.#asker = asker;
    this.#url = tokensUrl(authUrl);
    this.#transport = new Transport(options);
  }

  /**
   * What Keystone says now: nothing is remembered, so that a token that was revoked is. `unauthorized` when it does not know
   * the token; `unavailable` or `timeout` when it does not answer, or not us. Whoever sent the token is told no more than
   * that: who we are there, and where it is, is in the error's cause.
   */
  async validate(token: string, signal: AbortSignal): Promise<TokenFacts> {
    let answer: TextAnswer;
    try {
      answer = await this.#answer(token, signal);
    } catch (thrown) {
      const error = asCellarError(thrown);
      throw signal.aborted || error.kind === 'cancelled' ? error : notNow(error);
    }
    return this.#read(answer);
  }

  close(): void {
    this.#transport.close();
  }

  /** A token of our own that is refused is renewed once. */
  async #answer(token: string, signal: AbortSignal): Promise<TextAnswer> {
    for (let again = false; ; again = true) {
      const own = await this.#asker.token(signal);
      const answer = await this.#ask(own, token, signal);
      if (answer.status !== 401 || again) return answer;
      this.#asker.invalidate(own);
    }
  }

  #ask(own: string, token: string, signal: AbortSignal): Promise<TextAnswer> {
    const headers = {'X-Auth-Token': own, 'X-Subject-Token': token};
    return exchangeText(
      this.#transport,
      {method: 'GET', url: `${this.#url}?nocatalog=1`, headers, signal},
      answerLimit,
    );
  }

  /** Keystone's own words are not passed on: they may quote the token. */
  #read({status, statusLine, text}: TextAnswer): TokenFacts {
    const facts = status === 200 ? answer.safeParse(parseJson(text)) : undefined;
    if (facts?.success) {
      const {user, project, roles} = facts.data.token;
      return {user, project, roles: roles.map(({name}) => name)};
    }
    if (status === 404) {
      throw new CellarError('unauthorized', 'Keystone does not accept the token', {
        hint: 'it has expired, was revoked, or is of another Keystone',
      });
    }
    const what = `GET ${showUrl(this.#url)} to validate a token: ${statusLine}`;
    const why = new CellarError('unavailable', status === 200 ? `${what}: the answer is not Keystone's` : what, {
      ...(status === 403 && {hint: 'the login that validates tokens needs the role service or admin'}),
    });
    throw notNow(why);
  }
}

/** In words that are for strangers too. */
const notNow = (why: CellarError): CellarError =>
  new CellarError(why.kind === 'timeout' ? 'timeout' : 'unavailable', 'the token cannot be validated now', {
    hint: 'the log of the service that asked Keystone says why',
    cause: why,
  });

const named = z.object({id: z.string(), name: z.string()});
const ofDomain = named.extend({domain: named.optional().catch(undefined)});
const answer = z.object({
  token: z.object({
    user: ofDomain,
    project: ofDomain.optional(),
    roles: z.array(z.object({name: z.string()})).default([]),
  }),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
