/** The sha256 of everything a disk reads as. */
import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {pipeline} from 'node:stream/promises';
import type {Cluster} from '../../test/lab/cluster.ts';
import {cleanEnv} from '../../test/lab/run.ts';

/** By `rbd export`, which reads through the clone like a guest does. */
export async function digestOf({conf}: Cluster, disk: string): Promise<string> {
  const args = ['-c', conf, '--id', 'nova', 'export', '--no-progress', disk, '-'];
  const child = spawn('rbd', args, {env: cleanEnv(), stdio: ['ignore', 'pipe', 'ignore']});
  const hash = createHash('sha256');
  const [[code]] = await Promise.all([once(child, 'close'), pipeline(child.stdout, hash)]);
  if (code !== 0) throw new Error(`rbd export ${disk} ended with ${code}`);
  return hash.digest('hex');
}
