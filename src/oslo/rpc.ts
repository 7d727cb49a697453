/** Calls over oslo.messaging's RPC: a message to a topic, the answer on our reply queue. */
import {randomUUID} from 'node:crypto';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ConsumeMessage} from 'amqplib';
import {asCellarError, CellarError} from '../core/errors.ts';
import {Connection, type ConnectionOptions} from './connection.ts';
import {type RequestContext, serviceContext} from './context.ts';
import {decodeReply, encodeRequest} from './envelope.ts';
import type {EmitBusEvent} from './events.ts';
import {type Link, NotSent, Unconfirmed} from './link.ts';
import {Pending, unknown, unsent} from './pending.ts';
import {epochOf} from './sealed.ts';

export type RpcOptions = ConnectionOptions & {
  /** control_exchange. Default `nova`. */
  exchange?: string;
  /** rpc_response_timeout, in milliseconds. Default 60 000. */
  timeoutMs?: number;
  /** Calls that may wait at once; more are refused. Default 1024. */
  limit?: number;
};

export type Call = {
  /** `conductor`. */
  topic: string;
  /** One server of the topic; undefined: any. */
  server?: string;
  namespace?: string;
  /** Of the procedure's interface: `3.0`. */
  version: string;
  method: string;
  args: Record<string, unknown>;
  context?: RequestContext;
  /** Milliseconds until the answer must be there. */
  timeoutMs?: number;
  /** Ask the server for signs of life, and give it up when there is none for so many milliseconds. */
  monitorMs?: number;
  signal: AbortSignal;
  /** To do it twice is no worse than once: it is sent again when the connection broke. Default false. */
  idempotent?: boolean;
  /** Only over this connection (see `epoch`): on another one it fails with EpochEnded. */
  epoch?: number;
  /** For messages, instead of the method. */
  what?: string;
};

/** The call was bound to a connection that is gone. */
export class EpochEnded extends CellarError {
  /** The message had been sent. */
  readonly sent: boolean;

  constructor(what: string, sent: boolean) {
    super('unavailable', `${what}: the connection to RabbitMQ was lost${sent ? `; ${unknown}` : ''}`);
    this.sent = sent;
  }
}

export class RpcClient {
  /** How long a call waits that does not say. */
  readonly timeoutMs: number;
  readonly #connection: Connection;
  readonly #exchange: string;
  readonly #limit: number;
  readonly #emit: EmitBusEvent;
  readonly #pending = new Map<string, Pending>();
  readonly #requests = new WeakMap<Pending, Call>();
  #closed = false;

  /** Fails with `config` when the URL or an option is wrong; connects at the first call. */
  constructor(options: RpcOptions) {
    this.#connection = new Connection(options, {
      reply: message => this.#received(message),
      lost: link => this.#lost(link),
      blocked: link => this.#blocked(link),
    });
    this.#exchange = options.exchange ?? 'nova';
    this.timeoutMs = options.timeoutMs ?? 60_000;
    this.#limit = options.limit ?? 1024;
    this.#emit = options.emit ?? (() => {});
  }

  /** The number of the connection that stands, or undefined. */
  get epoch(): number | undefined {
    return this.#connection.epoch;
  }

  /** Calls that wait for their answer. */
  get inFlight(): number {
    return this.#pending.size;
  }

  /** The number of the connection, as soon as there is one. */
  async connected(signal: AbortSignal): Promise<number> {
    try {
      return (await this.#connection.link(signal)).epoch;
    } catch (error) {
      throw signal.aborted ? unsent('RPC', this.#connection.failure ?? asCellarError(error)) : asCellarError(error);
    }
  }

  /**
   * What the procedure returned. RemoteError when it threw; `unavailable` when nobody listens, RabbitMQ is away or takes
   * nothing; `timeout` when no answer came; `unauthorized`, `forbidden`, `config` when the login is wrong. An error of a call
   * that is not idempotent says when it may have been done nevertheless.
   */
  async call(call: Call): Promise<unknown> {
    const what = `RPC ${call.what ?? call.method} to ${call.topic}${call.server ? `.${call.server}` : ''}`;
    if (this.#closed) throw closedError(what);
    if (call.signal.aborted) throw asCellarError(call.signal.reason);
    if (this.#pending.size >= this.#limit) {
      throw new CellarError('unavailable', `${what}: ${this.#limit} calls wait for an answer already`);
    }
    const bound = epochOf(call.args);
    if (bound !== undefined && call.epoch !== undefined && bound !== call.epoch) throw new EpochEnded(what, false);
    const epoch = bound ?? call.epoch;
    const pending = new Pending(
      {
        what,
        timeout: Math.min(call.timeoutMs ?? this.timeoutMs, 2 ** 31 - 1),
        monitor: call.monitorMs,
        idempotent: call.idempotent ?? false,
        signal: call.signal,
        onEnd: () => this.#pending.delete(pending.id),
      },
      () => this.#connection.failure,
    );
    this.#pending.set(pending.id, pending);
    this.#requests.set(pending, epoch === undefined ? call : {...call, epoch});
    void this.#send(pending);
    return pending.result;
  }

  /** Rejects every call as cancelled and ends the connection. Nothing is left open. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const pending of [...this.#pending.values()]) pending.fail(closedError(pending.what));
    await this.#connection.close(closedError('RPC'));
  }

  /** Until the broker has the message; then the call waits for `#received`, `#lost` or its deadline. Never throws. */
  async #send(pending: Pending): Promise<void> {
    try {
      while (!(await this.#attempt(pending))) {
        // Its queues come back when the conductors do.
        await sleep(500, undefined, {signal: pending.ended.signal});
      }
    } catch (error) {
      if (!pending.ended.signal.aborted) pending.fail(error);
    }
  }

  /** True when the broker has it, false when it is to be tried again. */
  async #attempt(pending: Pending): Promise<boolean> {
    const call = this.#requests.get(pending) as Call;
    const link = await this.#link(pending);
    if (call.epoch !== undefined && call.epoch !== link.epoch) throw new EpochEnded(pending.what, pending.sent);
    if (link.blocked !== undefined) throw blockedError(pending, link);
    const before = pending.sent;
    try {
      pending.handing = link;
      pending.sent = true;
      const outcome = await link.publish(this.#publication(pending, call, link));
      if (outcome === 'routed') {
        if (link.gone) throw new Unconfirmed('the connection is gone');
        pending.confirmed(link);
        return true;
      }
      pending.sent = before;
      pending.refusal = unroutable(pending.what, call, this.#exchange, link, outcome === 'no-exchange');
      if (link.settling) return false;
      throw pending.refusal;
    } catch (error) {
      if (error instanceof CellarError) throw error;
      if (error instanceof NotSent) {
        pending.sent = before;
        return false;
      }
      if (!(error instanceof Unconfirmed)) throw error;
      if (call.epoch !== undefined) throw new EpochEnded(pending.what, true);
      if (pending.idempotent) return false;
      throw new CellarError('unavailable', `${pending.what}: the connection to RabbitMQ was lost${pending.doubt}`);
    } finally {
      pending.handing = undefined;
    }
  }

  async #link(pending: Pending): Promise<Link> {
    try {
      return await this.#connection.link(pending.ended.signal);
    } catch (error) {
      throw error instanceof CellarError ? unsent(pending.what, error) : error;
    }
  }

  #publication(pending: Pending, call: Call, link: Link) {
    const {topic, server, namespace, version, method, args, context} = call;
    const body = encodeRequest({
      method,
      args,
      version,
      namespace,
      msgId: pending.id,
      // A new one for every sending: a server that has answered it, into a queue that was lost, would drop it as a duplicate.
      uniqueId: randomUUID().replaceAll('-', ''),
      replyQueue: link.replyQueue,
      monitor: pending.monitor === undefined ? undefined : pending.monitor / 1000,
      context: context ?? serviceContext(),
    });
    const routingKey = server === undefined ? topic : `${topic}.${server}`;
    return {exchange: this.#exchange, routingKey, body, id: pending.id, expiration: pending.left};
  }

  #received({properties, content}: ConsumeMessage): void {
    try {
      if (properties.contentType !== 'application/json') throw new Error(`it is ${String(properties.contentType)}`);
      const reply = decodeReply(content);
      const pending = this.#pending.get(reply.msgId);
      if (pending === undefined) this.#emit({type: 'reply-dropped', why: 'late', detail: reply.msgId});
      else if (!pending.answered(reply)) this.#emit({type: 'reply-dropped', why: 'duplicate', detail: reply.msgId});
    } catch (error) {
      this.#emit({type: 'reply-dropped', why: 'unreadable', detail: (error as Error).message});
    }
  }

  /** RabbitMQ reads nothing more from this connection: what it had not confirmed lies there until it does. */
  #blocked(link: Link): void {
    for (const pending of [...this.#pending.values()]) {
      if (pending.handing === link) pending.fail(blockedError(pending, link));
    }
  }

  /**
   * Calls that went over it. What may be done twice is sent again: its answer may have been lost with the broker. For the
   * others the answer may still come, into the queue that is declared again.
   */
  #lost(link: Link): void {
    for (const pending of [...this.#pending.values()]) {
      if (pending.link !== link) continue;
      pending.link = undefined;
      if (this.#requests.get(pending)?.epoch !== undefined) pending.fail(new EpochEnded(pending.what, true));
      else if (pending.idempotent) void this.#send(pending);
    }
  }
}

const closedError = (what: string) => new CellarError('cancelled', `${what}: the RPC client is closed`);

const blockedError = ({what, doubt}: Pending, {broker, blocked}: Link) =>
  new CellarError('unavailable', `${what}: RabbitMQ at ${broker.name} takes no messages: ${blocked}${doubt}`, {
    hint: 'check `rabbitmqctl status`: it is short of memory or disk',
  });

function unroutable(what: string, call: Call, exchange: string, {broker}: Link, noExchange: boolean): CellarError {
  const vhost = `vhost ${JSON.stringify(broker.virtualHost)} of RabbitMQ at ${broker.name}`;
  const why = noExchange ? `there is no exchange ${exchange}` : 'nobody listens';
  return new CellarError('unavailable', `${what}: ${why} in ${vhost}`, {
    hint: `no ${call.topic} listens on exchange ${exchange} there: check that nova-${call.topic} of this cell runs, and transport_url and control_exchange`,
  });
}
