/** GET requests to Glance, whichever server answers: credentials, fail-over, retries. */
import {asCellarError, CellarError} from '../core/errors.ts';
import type {Requester} from '../core/image.ts';
import {exchangeDirect} from '../http/direct.ts';
import {type Answer, type Call, excerpt, exchangeText, type TextAnswer} from '../http/exchange.ts';
import {failure, showUrl} from '../http/failure.ts';
import {
  isPassing,
  persist,
  type RetryOptions,
  type RetryPolicy,
  retryAfter,
  retryPolicy,
  Setback,
} from '../http/retry.ts';
import {Transport, type TransportOptions} from '../http/transport.ts';
import {type EndpointOptions, Endpoints} from './endpoints.ts';
import {Identification, type Identity} from './identity.ts';
import {refusal} from './refusal.ts';

export type RequestOptions = EndpointOptions &
  TransportOptions &
  RetryOptions & {
    /** Nova's [service_user] option: our own token goes along with a user's. Default false, as there. */
    send_service_user_token?: boolean | undefined;
    /** The id of the request that is being worked on, for what is asked in nobody's name. */
    requestIdNow?: () => string | undefined;
  };

/** What to get; without a requester there are no credentials in it. */
export type Ask = {path: string; requester?: Requester; signal: AbortSignal; object?: string};

/** An answer with the server that gave it, and what must not be quoted from it. */
export type Reply<A> = A & {server: string; url: string; secrets: string[]};

type Send<A> = (call: Call) => Promise<A>;
/** What happened to one request so far. `tried` is of the present round, `failures` the last message of each server. */
type Story = {tried: Set<string>; failures: Map<string, string>; renewed: boolean};

/** A record has some kB; ten locations and all custom properties make no megabyte. */
const textLimit = 4 * 1024 * 1024;

export class Requests {
  readonly endpoints: Endpoints;
  readonly #transport: Transport;
  readonly #identification: Identification;
  readonly #policy: RetryPolicy;

  constructor(options: RequestOptions, identity: Identity | undefined) {
    this.endpoints = new Endpoints(options, identity);
    this.#transport = new Transport(options);
    this.#identification = new Identification(identity, options.send_service_user_token ?? false, options.requestIdNow);
    this.#policy = retryPolicy(options);
  }

  /** The whole answer, whatever its status. Fails when none came. */
  text(ask: Ask): Promise<Reply<TextAnswer>> {
    return this.#ask(ask, call => exchangeText(this.#transport, call, textLimit));
  }

  /** The answer's headers, whatever the status, with the body still to come. */
  stream(ask: Ask): Promise<Reply<Answer>> {
    return this.#ask(ask, call => exchangeDirect(this.#transport, call));
  }

  close(): void {
    this.#transport.close();
  }

  async #ask<A extends Answer | TextAnswer>(ask: Ask, send: Send<A>): Promise<Reply<A>> {
    const story: Story = {tried: new Set(), failures: new Map(), renewed: false};
    try {
      return await persist(this.#policy, ask.signal, () => this.#attempt(ask, send, story));
    } catch (error) {
      throw withOthers(asCellarError(error), story, ask);
    }
  }

  async #attempt<A extends Answer | TextAnswer>(ask: Ask, send: Send<A>, story: Story): Promise<Reply<A>> {
    const {path, requester, signal, object} = ask;
    const {tried} = story;
    const servers = await this.endpoints.list(signal);
    if (servers.every(one => tried.has(one))) tried.clear();
    const server = servers.find(one => !tried.has(one)) ?? '';
    tried.add(server);
    const elsewhere = servers.some(one => !tried.has(one));
    const {headers, secrets, renew} = await this.#credentials(requester, signal);
    const url = `${server}${path}`;

    let answer: A;
    try {
      answer = await send({method: 'GET', url, headers, signal});
    } catch (error) {
      throw this.#unanswered(failure(error, signal), {server, url, ask, story, elsewhere});
    }
    if (answer.status === 401 && !story.renewed && renew()) {
      story.renewed = true;
      tried.delete(server);
      await textOf(answer);
      return this.#attempt(ask, send, story);
    }
    if (isPassing(answer.status)) {
      const error = refusal({...answer, text: await textOf(answer), url, secrets}, object);
      story.failures.set(server, error.message);
      // A server that tells us to slow down is not a broken one.
      if (answer.status !== 429) this.endpoints.avoid(server);
      throw new Setback(error, {retryAfter: retryAfter(answer.headers), elsewhere});
    }
    return {...answer, server, url, secrets};
  }

  async #credentials(requester: Requester | undefined, signal: AbortSignal) {
    return requester
      ? this.#identification.credentials(requester, signal)
      : {headers: {}, secrets: [], renew: () => false};
  }

  /** No answer: a setback where another attempt may help, at this server or elsewhere. */
  #unanswered(
    {kind, message, hint, cause}: CellarError,
    {server, url, ask, story, elsewhere}: {server: string; url: string; ask: Ask; story: Story; elsewhere: boolean},
  ): Error {
    if (ask.signal.aborted) return failure(undefined, ask.signal);
    const error = told(kind, `GET ${showUrl(url)}: ${message}`, {hint, cause, object: ask.object});
    story.failures.set(server, error.message);
    this.endpoints.avoid(server);
    return elsewhere || kind === 'unavailable' || kind === 'timeout' ? new Setback(error, {elsewhere}) : error;
  }
}

/** The last error, with what the other servers did: one of them may be the one to mend. */
function withOthers(error: CellarError, {failures}: Story, {path, signal, object}: Ask): CellarError {
  if (error === signal.reason) return error;
  const {kind, hint, cause} = error;
  if (signal.aborted) return told(kind, `GET ${path} of Glance: ${error.message}`, {hint, cause, object});
  const others = [...failures.values()].filter(message => message !== error.message);
  if (others.length === 0) return error;
  return told(kind, `${error.message}; before that: ${others.join('; ')}`, {hint, cause, object});
}

async function textOf(answer: Answer | TextAnswer): Promise<string> {
  return 'text' in answer ? answer.text : excerpt(answer.body);
}

type Told = {hint: string | undefined; cause: unknown; object: string | undefined};

function told(kind: CellarError['kind'], message: string, {hint, cause, object}: Told): CellarError {
  return new CellarError(kind, message, {
    cause,
    ...(hint === undefined ? {} : {hint}),
    ...(object === undefined ? {} : {object}),
  });
}
