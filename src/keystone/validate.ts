/** Whose token is this? Asked of Keystone, with a token of our own. */
import {z} from 'zod';
import {CellarError} from '../core/errors.ts';
import {exchangeText, type TextAnswer} from '../http/exchange.ts';
import {showUrl} from '../http/failure.ts';
import {Transport, type TransportOptions} from '../http/transport.ts';
import {tokensUrl} from './auth.ts';

/** What Keystone says of a token that is good. */
export type TokenFacts = {
  user: {id: string; name: string};
  /** undefined: it is of a domain, of the system, or of nothing. */
  project: {id: string; name: string} | undefined;
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
   * the token; `unavailable` when it does not answer, or not us.
   */
  async validate(token: string, signal: AbortSignal): Promise<TokenFacts> {
    for (let again = false; ; again = true) {
      const own = await this.#asker.token(signal);
      const answer = await this.#ask(own, token, signal);
      if (answer.status === 401 && !again) this.#asker.invalidate(own);
      else return this.#read(answer);
    }
  }

  close(): void {
    this.#transport.close();
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
    throw new CellarError('unavailable', status === 200 ? `${what}: the answer is not Keystone's` : what, {
      hint: status === 403 ? 'the login that validates tokens needs the role service or admin' : 'try again',
    });
  }
}

const named = z.object({id: z.string(), name: z.string()});
const answer = z.object({
  token: z.object({
    user: named,
    project: named.optional(),
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
