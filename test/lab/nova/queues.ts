/** Which of Nova's services listen. */
import {connect} from 'amqplib';
import {isAlive, recordedDaemon} from '../daemon.ts';
import {all, waitFor} from '../run.ts';
import {computeFiles} from './compute-conf.ts';
import type {NovaState} from './state.ts';

/**
 * Resolves when every service of Nova that runs takes messages again. A cast to a service that has not come back to a
 * new RabbitMQ is lost: a server that is asked for then stays in BUILD for ever.
 */
export async function servicesListen(nova: NovaState, computes: {host: string; transportUrl: string}[]): Promise<void> {
  const runs = (dir: string, name: string) => {
    const daemon = recordedDaemon(dir, name);
    return daemon !== undefined && isAlive(daemon);
  };
  const queues = [
    {runs: runs(nova.dir, 'nova-super-conductor'), url: nova.transportUrl, queue: 'conductor'},
    {runs: runs(nova.dir, 'nova-scheduler'), url: nova.transportUrl, queue: 'scheduler'},
    ...nova.cells.map(({name, transportUrl}) => {
      return {runs: runs(nova.dir, `nova-conductor-${name}`), url: transportUrl, queue: 'conductor'};
    }),
    ...computes.map(({host, transportUrl}) => {
      return {runs: runs(computeFiles(nova, host).dir, 'nova-compute'), url: transportUrl, queue: `compute.${host}`};
    }),
  ];
  await all(queues.filter(each => each.runs).map(({url, queue}) => hasConsumer(url, queue)));
}

async function hasConsumer(url: string, queue: string): Promise<void> {
  const connection = await connect(url.replace(/^rabbit:/, 'amqp:'));
  connection.on('error', () => undefined);
  try {
    const probe = async () => {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined); // a queue that is missing closes the channel
      const {consumerCount} = await channel.checkQueue(queue);
      await channel.close();
      if (consumerCount === 0) throw new Error(`nobody takes messages from ${queue}`);
    };
    await waitFor(`the service behind ${queue}`, probe, {everyMs: 200});
  } finally {
    await connection.close();
  }
}
