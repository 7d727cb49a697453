/** One request, from its headers to its answer. */
import type {IncomingMessage, ServerResponse} from 'node:http';
import {CellarError} from '../core/errors.ts';
import type {Requester} from '../core/image.ts';
import type {Agent} from './agent.ts';
import {type Answer, answerOn} from './answer.ts';
import {readBody, refuseBody} from './body.ts';
import {failure} from './problem.ts';
import {refuseBrowsers, requesterOf, wantsLines} from './request.ts';
import {findRoute} from './router.ts';
import {type Call, type Route, routes, type TextRoute} from './routes.ts';

/** What the server knows about this request and its neighbours. */
export type Context = {
  agent: Agent;
  version: string;
  requestId: string;
  /** Milliseconds. */
  timeouts: {body: number; request: number; grace: number};
  progressInterval: number;
  /** Aborts when the server wants the request to end, with the reason to answer. */
  signal: AbortSignal;
  stopping: () => boolean;
  others: number;
};

/** Answers in any case, unless nobody is there to read it; never rejects. Resolves to the error that was answered, if one was. */
export async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  context: Context,
): Promise<CellarError | undefined> {
  const {version, requestId, progressInterval, timeouts} = context;
  const secrets: string[] = [];
  const close = () => context.stopping() || !request.complete;
  const answer = answerOn(response, {version, requestId, progressInterval, secrets, close});
  using life = lifetime(request, context);
  try {
    if (context.stopping()) throw stopping();
    refuseBrowsers(request);
    const {route, params} = findRoute(routes, request.method ?? '', request.url ?? '');
    const requester = requesterOf(request, requestId);
    remember(secrets, requester.token);
    const body = await bodyOf(request, route, timeouts.body, life.signal);
    remember(secrets, (body as {token?: unknown} | undefined)?.token);
    life.signal.throwIfAborted();
    const call = {agent: context.agent, params, body, requester, others: context.others, signal: life.signal};
    await run(route, call, request, answer, timeouts.grace);
    return undefined;
  } catch (thrown) {
    const error = failure(thrown, life.signal);
    answer.fail(error);
    return error;
  }
}

type Parts = Omit<Call, 'onProgress'> & {requester: Requester};

async function run(
  route: Route | TextRoute,
  call: Parts,
  request: IncomingMessage,
  answer: Answer,
  grace: number,
): Promise<void> {
  if (route.text !== undefined) {
    const {type, text} = await settled(route.text(call), call.signal, grace);
    return answer.text(type, text);
  }
  if (!route.streams || !wantsLines(request)) {
    answer.json(await settled(route.run({...call, onProgress: undefined}), call.signal, grace));
    return;
  }
  const lines = answer.stream();
  const onProgress = lines.progress;
  lines.result(await settled(route.run({...call, onProgress}), call.signal, grace));
}

function bodyOf(request: IncomingMessage, route: Route | TextRoute, timeout: number, signal: AbortSignal): unknown {
  if (route.body !== undefined) return readBody(request, timeout, signal);
  refuseBody(request);
  return undefined;
}

/** A signal that aborts when the caller hangs up, the request takes too long, or the server wants it to end. */
function lifetime({socket}: IncomingMessage, {timeouts, signal}: Context): Disposable & {signal: AbortSignal} {
  const controller = new AbortController();
  const end = (error: unknown) => controller.abort(error);
  // The socket and not the response: of pipelined requests only the first has a response that would notice.
  const onClose = () => end(new CellarError('cancelled', 'the caller went away'));
  const onStop = () => end(signal.reason);
  const timer = setTimeout(() => end(tooLong(timeouts.request)), timeouts.request);
  socket.once('close', onClose);
  signal.addEventListener('abort', onStop, {once: true});
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      socket.off('close', onClose);
      signal.removeEventListener('abort', onStop);
    },
  };
}

/** The agent's answer. Once the signal has aborted the agent has `grace` ms to end by itself, then it is not waited for. */
async function settled<Result>(work: Promise<Result>, signal: AbortSignal, grace: number): Promise<Result> {
  const {promise: givenUp, reject} = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(reject, grace, signal.reason);
  };
  signal.addEventListener('abort', onAbort, {once: true});
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** A short token is no token of Keystone's, and striking it out would only garble the message. */
function remember(secrets: string[], token: unknown): void {
  if (typeof token === 'string' && token.length >= 8) secrets.push(token);
}

const tooLong = (ms: number) =>
  new CellarError('timeout', `the request was not done within ${ms / 1000} s`, {
    hint: 'try again; work done so far is kept',
  });

const stopping = () => new CellarError('unavailable', 'the agent is stopping', {hint: 'try again when it is back'});
