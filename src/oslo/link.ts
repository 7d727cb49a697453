/** One connection to one broker: a channel to publish on, another for the reply queue. It is used until it breaks, and never mended. */
import {
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  credentials,
  type Message,
  type Options,
  type SocketOptions,
} from 'amqplib';
import {CellarError} from '../core/errors.ts';
import type {Broker} from './brokers.ts';
import {connectFailure, lostFailure, replyCode} from './failures.ts';
import type {RabbitOptions} from './options.ts';
import {declareReplyQueue} from './reply-queue.ts';
import {tlsOptions} from './tls.ts';

export type LinkOptions = {
  rabbit: RabbitOptions;
  /** Milliseconds for TCP, TLS, login and the reply queue together. */
  connectTimeout: number;
  /** The reply queue to declare and read. */
  replyQueue: string;
  /** The number of this connection. */
  epoch: number;
  /** RabbitMQ was away before: the others on it come back too, one after the other. */
  recovered: boolean;
};

export type LinkEvents = {
  reply(message: ConsumeMessage): void;
  /** Once. */
  lost(link: Link, error: CellarError): void;
  blocked(link: Link, reason: string | undefined): void;
  /** The broker will not declare the reply queue under its name. */
  refused(): void;
};

/** A message and how it is to be handled. */
export type Publication = {
  exchange: string;
  routingKey: string;
  body: Buffer;
  id: string;
  /** Milliseconds after which a queue drops it. */
  expiration: number;
};

/** `no-route`: no queue takes it, so nobody got it. */
export type Published = 'routed' | 'no-route' | 'no-exchange';

/** The message was not handed to the broker: it is safe to send it again. */
export class NotSent extends Error {}

/** The broker did not say that it has the message before the connection was gone. */
export class Unconfirmed extends Error {}

/** A channel in confirm mode, and why the broker closed it. */
type Publisher = {channel: ConfirmChannel; refusal?: unknown};

export class Link {
  readonly broker: Broker;
  readonly epoch: number;
  readonly replyQueue: string;
  readonly #since = performance.now();
  readonly #recovered: boolean;
  /** Why RabbitMQ takes no messages at the moment. */
  blocked: string | undefined;
  readonly #model: ChannelModel;
  readonly #socket: AbortController;
  readonly #events: LinkEvents;
  readonly #returned = new Set<string>();
  #publisher: Promise<Publisher> | undefined;
  #gone = false;

  /** For `openLink`. */
  constructor(broker: Broker, model: ChannelModel, socket: AbortController, options: LinkOptions, events: LinkEvents) {
    this.broker = broker;
    this.epoch = options.epoch;
    this.replyQueue = options.replyQueue;
    this.#recovered = options.recovered;
    this.#model = model;
    this.#socket = socket;
    this.#events = events;
    let cause: unknown;
    model.on('error', error => {
      cause = error;
    });
    model.on('close', error => this.lose(cause ?? error));
    model.on('blocked', reason => this.#block(reason || 'no reason given'));
    model.on('unblocked', () => this.#block(undefined));
  }

  /** Opens the channels and reads the reply queue. */
  async start(options: LinkOptions): Promise<void> {
    const channel = await this.#model.createChannel();
    channel.on('error', error => this.lose(error));
    channel.on('close', () => this.lose(undefined));
    try {
      await declareReplyQueue(channel, options.replyQueue, options.rabbit);
    } catch (error) {
      // Its node is down, or it stands with other arguments: another name will do.
      if ([404, 405, 406].includes(replyCode(error) ?? 0)) this.#events.refused();
      throw error;
    }
    await channel.prefetch(100);
    await channel.consume(options.replyQueue, message => {
      // The queue was deleted, or its node went away: a new connection declares it anew.
      if (message === null) {
        this.lose(new Error('the reply queue is gone'));
      } else {
        channel.ack(message);
        this.#events.reply(message);
      }
    });
    await this.#open();
  }

  /** Settles when the broker has the message in a queue, or has no queue for it. Throws NotSent, Unconfirmed, or what the broker refused. */
  async publish(message: Publication): Promise<Published> {
    const publisher = await this.#open();
    return new Promise((resolve, reject) => {
      const settle = (error: unknown) => {
        const returned = this.#returned.delete(message.id);
        if (!error) return resolve(returned ? 'no-route' : 'routed');
        const code = replyCode(publisher.refusal);
        if (code === 404) return resolve('no-exchange');
        reject(
          code === 403 ? connectFailure(this.broker, publisher.refusal) : new Unconfirmed((error as Error).message),
        );
      };
      try {
        publisher.channel.publish(message.exchange, message.routingKey, message.body, properties(message), settle);
      } catch (error) {
        reject(new NotSent((error as Error).message));
      }
    });
  }

  /** Gives the reply queue back and says good-bye; cuts the line when that takes longer than two seconds. */
  async close(): Promise<void> {
    const cut = setTimeout(() => this.#socket.abort(), 2000);
    this.#gone = true;
    try {
      const publisher = await this.#publisher;
      if (this.blocked === undefined) await publisher?.channel.deleteQueue(this.replyQueue);
      await this.#model.close();
    } catch {
      // It went by itself.
    } finally {
      clearTimeout(cut);
      this.#socket.abort();
    }
  }

  /** Is it so soon after an outage that a queue which is not there may still come? kombu waits 30 s at most. */
  get settling(): boolean {
    return this.#recovered && performance.now() - this.#since < 40_000;
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Counts as lost from now on. */
  lose(error: unknown): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket.abort();
    this.#events.lost(this, lostFailure(this.broker, error));
  }

  /** A channel that the broker closed, because of one bad message, is replaced; the connection stays. */
  #open(): Promise<Publisher> {
    if (this.#gone) return Promise.reject(new NotSent('the connection is gone'));
    this.#publisher ??= this.#openPublisher();
    return this.#publisher;
  }

  async #openPublisher(): Promise<Publisher> {
    try {
      const publisher: Publisher = {channel: await this.#model.createConfirmChannel()};
      publisher.channel.on('error', error => {
        publisher.refusal = error;
      });
      publisher.channel.on('close', () => {
        this.#publisher = undefined;
      });
      publisher.channel.on('return', (message: Message) => this.#returned.add(String(message.properties.messageId)));
      return publisher;
    } catch (error) {
      this.#publisher = undefined;
      throw new NotSent((error as Error).message);
    }
  }

  #block(reason: string | undefined): void {
    this.blocked = reason;
    this.#events.blocked(this, reason);
  }
}

/** What oslo.messaging sends, and the id by which a message that comes back is known. A wrong content type is dropped without a word. */
const properties = ({id, expiration}: Publication) => ({
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  deliveryMode: 2,
  priority: 0,
  headers: {},
  mandatory: true,
  expiration: String(Math.max(1, Math.ceil(expiration))),
  messageId: id,
});

/** Connects, logs in and reads the reply queue. Fails with what `connectFailure` tells; `signal` ends the attempt. */
export async function openLink(
  broker: Broker,
  options: LinkOptions,
  events: LinkEvents,
  signal: AbortSignal,
): Promise<Link> {
  const socket = new AbortController();
  const late = new CellarError(
    'unavailable',
    `RabbitMQ at ${broker.name}: no answer within ${options.connectTimeout} ms`,
  );
  let ended: CellarError | undefined;
  const end = (error: CellarError) => {
    ended ??= error;
    socket.abort();
  };
  const timer = setTimeout(() => end(late), options.connectTimeout);
  const stop = () => end(new CellarError('cancelled', 'cancelled'));
  signal.addEventListener('abort', stop);
  try {
    signal.throwIfAborted();
    const model = await connect(...dial(broker, options.rabbit, socket.signal));
    const link = new Link(broker, model, socket, options, events);
    await link.start(options);
    return link;
  } catch (error) {
    socket.abort();
    throw ended ?? connectFailure(broker, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** 128 KiB, as every client of RabbitMQ's. */
const frameMax = 131_072;

function dial(broker: Broker, rabbit: RabbitOptions, signal: AbortSignal): [Options.Connect, SocketOptions] {
  const url = {
    protocol: rabbit.ssl ? 'amqps' : 'amqp',
    hostname: broker.hostname,
    port: broker.port,
    // amqplib decodes it.
    vhost: encodeURIComponent(broker.virtualHost),
    heartbeat: rabbit.heartbeat_timeout_threshold,
    frameMax,
    maxFrameSize: frameMax,
  };
  const socket = {
    ...(rabbit.ssl ? tlsOptions(rabbit) : {}),
    // Aborting it is the way to cut a connection that does not answer.
    signal,
    noDelay: true,
    keepAlive: true,
    credentials: login(broker, rabbit),
    clientProperties: {product: 'cellar', connection_name: `cellar:${process.pid}`},
  };
  return [url, socket];
}

function login({username, password}: Broker, {rabbit_login_method}: RabbitOptions) {
  switch (rabbit_login_method) {
    case 'PLAIN':
      return credentials.plain(username, password);
    case 'AMQPLAIN':
      return credentials.amqplain(username, password);
    case 'EXTERNAL':
      return credentials.external();
    default:
      throw new CellarError(
        'config',
        `[oslo_messaging_rabbit] rabbit_login_method: ${rabbit_login_method} is not supported`,
      );
  }
}
