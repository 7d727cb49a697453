/** Services of Nova that talk on a message bus: conductor, scheduler, compute. */
import {statSync} from 'node:fs';
import {type Daemon, obituary, startDaemon} from '../daemon.ts';
import {waitFor} from '../run.ts';
import {logText} from './log.ts';

export type ServiceOptions = {
  /** Where it is recorded. */
  dir: string;
  /** Of the daemon. */
  name: string;
  program: string;
  conf: string;
  log: string;
  tied: boolean;
};

/** Starts it; resolves when it takes messages. Its log must be at debug level. */
export async function startService({dir, name, program, conf, log, tied}: ServiceOptions): Promise<Daemon> {
  const since = statSync(log, {throwIfNoEntry: false})?.size ?? 0;
  const command = [program, '--config-file', conf, '--log-file', log];
  const daemon = startDaemon(dir, name, command, {logs: [log], tied});
  const listens = async () => {
    const text = Buffer.from(logText(log)).subarray(since).toString();
    if (!text.includes('Join ServiceGroup membership')) throw new Error('it does not take messages yet');
  };
  await waitFor(name, listens, {everyMs: 100, stop: () => obituary(daemon)});
  return daemon;
}
