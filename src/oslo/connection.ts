/** The one connection of a client, kept: brokers in turn, pauses between rounds, always the same reply queue. */
import type {ConsumeMessage} from 'amqplib';
import {asCellarError, CellarError} from '../core/errors.ts';
import {type Broker, brokersOf} from './brokers.ts';
import type {EmitBusEvent} from './events.ts';
import {type Link, type LinkEvents, openLink} from './link.ts';
import {type GivenOptions, type RabbitOptions, rabbitOptions} from './options.ts';
import {replyQueueName} from './reply-queue.ts';
import {parseTransportUrl} from './transport-url.ts';

export type ConnectionOptions = {
  /** transport_url of nova.conf. */
  url: string;
  /** [oslo_messaging_rabbit]; the URL's query overrides it. */
  rabbit?: GivenOptions;
  /** Milliseconds for one attempt at one broker. Default 10 000. */
  connectTimeout?: number;
  emit?: EmitBusEvent;
};

export type ConnectionEvents = {
  reply(message: ConsumeMessage): void;
  lost(link: Link, error: CellarError): void;
  /** It takes no messages from now on. */
  blocked(link: Link): void;
};

type Waiter = {resolve(link: Link): void; reject(error: unknown): void};

export class Connection {
  readonly brokers: Broker[];
  readonly #rabbit: RabbitOptions;
  readonly #connectTimeout: number;
  readonly #emit: EmitBusEvent;
  readonly #events: ConnectionEvents;
  readonly #closing = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #replyQueue = replyQueueName();
  #epoch = 0;
  #link: Link | undefined;
  #dialling: Promise<void> | undefined;
  #failure: CellarError | undefined;
  /** No broker was there, or the connection broke. */
  #outage = false;

  /** Fails with `config` when the URL or an option is wrong; connects when the first link is asked for. */
  constructor(
    {url, rabbit = {}, connectTimeout = 10_000, emit = () => {}}: ConnectionOptions,
    events: ConnectionEvents,
  ) {
    const parsed = parseTransportUrl(url);
    this.brokers = shuffled(brokersOf(parsed));
    this.#rabbit = rabbitOptions(rabbit, parsed.query);
    this.#connectTimeout = connectTimeout;
    this.#emit = emit;
    this.#events = events;
  }

  /** Why the last attempt to connect failed, while there is no connection. */
  get failure(): CellarError | undefined {
    return this.#failure;
  }

  /** The number of the connection that stands, or undefined. Another number is another connection. */
  get epoch(): number | undefined {
    return this.#link?.epoch;
  }

  /**
   * The link, as soon as there is one. While brokers are down it waits, until the signal; an error that waiting does not
   * mend (login, vhost, certificate) comes at once when every broker was tried.
   */
  async link(signal: AbortSignal): Promise<Link> {
    if (this.#closing.signal.aborted) throw asCellarError(this.#closing.signal.reason);
    signal.throwIfAborted();
    if (this.#link) return this.#link;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', abort);
      };
      const abort = () => waiter.reject(signal.reason);
      const waiter: Waiter = {
        resolve: link => {
          leave();
          resolve(link);
        },
        reject: error => {
          leave();
          reject(error);
        },
      };
      signal.addEventListener('abort', abort);
      this.#waiters.add(waiter);
      this.#dial();
    });
  }

  /** Ends the connection and every wait for one. Nothing is left open. */
  async close(reason: CellarError): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(reason);
    for (const waiter of [...this.#waiters]) waiter.reject(reason);
    const link = this.#link;
    this.#link = undefined;
    await Promise.all([this.#dialling, link?.close()]);
  }

  #dial(): void {
    if (this.#closing.signal.aborted) return;
    this.#dialling ??= this.#connect().finally(() => {
      this.#dialling = undefined;
      // Who came while the last ones were turned away gets a round of their own.
      if (this.#waiters.size > 0) this.#dial();
    });
  }

  /** Rounds over all brokers until one is connected, or every one of a round failed for good. */
  async #connect(): Promise<void> {
    const {rabbit_retry_interval: first, rabbit_retry_backoff: step, rabbit_interval_max: longest} = this.#rabbit;
    for (let round = 0; !this.#closing.signal.aborted; round++) {
      const failures: CellarError[] = [];
      for (const _broker of this.brokers) {
        const link = await this.#attempt(failures);
        if (link) {
          this.#connected(link);
          return;
        }
        if (this.#closing.signal.aborted) return;
      }
      this.#outage = true;
      const lasting = failures.find(({kind}) => kind !== 'unavailable');
      if (lasting && failures.every(({kind}) => kind !== 'unavailable')) {
        for (const waiter of [...this.#waiters]) waiter.reject(lasting);
        return;
      }
      const seconds = Math.min((first || 1) + step * round, longest);
      // Half of it is chance: hosts that were cut off together do not come back together.
      await this.#pause(seconds * 1000 * (0.5 + Math.random() / 2));
    }
  }

  /** One attempt at the broker whose turn it is; the next attempt is at the next one. */
  async #attempt(failures: CellarError[]): Promise<Link | undefined> {
    const broker = this.brokers[0] as Broker;
    const {signal} = this.#closing;
    try {
      this.#epoch += 1;
      const options = {
        rabbit: this.#rabbit,
        connectTimeout: this.#connectTimeout,
        replyQueue: this.#replyQueue,
        epoch: this.#epoch,
        recovered: this.#outage,
      };
      const link = await openLink(broker, options, this.#linkEvents, signal);
      if (signal.aborted) await link.close();
      if (link.gone) throw new CellarError('unavailable', `RabbitMQ at ${broker.name}: the connection was closed`);
      return link;
    } catch (error) {
      if (signal.aborted) return undefined;
      const failure = asCellarError(error);
      failures.push(failure);
      this.#failure = failure;
      this.brokers.push(...this.brokers.splice(0, 1));
      this.#emit({type: 'bus-connect-failed', broker: broker.name, error: failure});
      return undefined;
    }
  }

  readonly #linkEvents: LinkEvents = {
    reply: message => this.#events.reply(message),
    lost: (link, error) => this.#lost(link, error),
    blocked: (link, reason) => {
      const broker = link.broker.name;
      this.#emit(reason === undefined ? {type: 'bus-unblocked', broker} : {type: 'bus-blocked', broker, reason});
      if (reason !== undefined) this.#events.blocked(link);
    },
    refused: () => {
      this.#replyQueue = replyQueueName();
    },
  };

  #connected(link: Link): void {
    this.#failure = undefined;
    this.#outage = false;
    this.#link = link;
    this.#emit({type: 'bus-connected', broker: link.broker.name});
    for (const waiter of [...this.#waiters]) waiter.resolve(link);
  }

  #lost(link: Link, error: CellarError): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#failure = error;
    this.#outage = true;
    this.#emit({type: 'bus-lost', broker: link.broker.name, error});
    this.#events.lost(link, error);
    // At once, and not when the next call comes: answers may be waiting in the reply queue.
    this.#dial();
  }

  async #pause(milliseconds: number): Promise<void> {
    const {signal} = this.#closing;
    await new Promise<void>(resolve => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
    });
  }
}

/** Every host begins with another broker. */
function shuffled<T>(list: T[]): T[] {
  return list
    .map(value => ({value, key: Math.random()}))
    .sort((a, b) => a.key - b.key)
    .map(({value}) => value);
}
