/** The queue that answers come to: one for the life of a client, under one name. */
import {randomUUID} from 'node:crypto';
import type {Channel} from 'amqplib';
import type {RabbitOptions} from './options.ts';

export const replyQueueName = (): string => `reply_${randomUUID().replaceAll('-', '')}`;

/** Declares it as oslo.messaging does. It outlives a connection, so that what is answered meanwhile is not lost. */
export async function declareReplyQueue(channel: Channel, name: string, options: RabbitOptions): Promise<void> {
  const {rabbit_transient_quorum_queue: quorum, rabbit_ha_queues, rabbit_transient_queues_ttl: ttl} = options;
  await channel.assertQueue(name, {
    durable: quorum,
    exclusive: false,
    autoDelete: false,
    arguments: {
      ...(ttl > 0 ? {'x-expires': ttl * 1000} : {}),
      ...(quorum ? {'x-queue-type': 'quorum'} : {}),
      ...(rabbit_ha_queues ? {'x-ha-policy': 'all'} : {}),
    },
  });
}
