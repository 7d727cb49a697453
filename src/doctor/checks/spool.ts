/** The directory where images wait to be converted: there, the agent's own, with room. */
import {execFile} from 'node:child_process';
import {stat, statfs} from 'node:fs/promises';
import {dirname} from 'node:path';
import {promisify} from 'node:util';
import {createClient} from '../../api/client.ts';
import {type Check, fail, ok, warn} from '../check.ts';
import type {Context} from '../context.ts';

export const spoolCheck: Check = {
  id: 'spool',
  title: "the spool directory is there, is the agent's own, and has room",
  needs: ['config'],
  async run(context, signal) {
    const {config} = context;
    const directory = config.get('image_store', 'spool_dir');
    const size = config.get('image_store', 'spool_size');
    const [user, why] = await Promise.all([unitUser(signal), refusalOf(directory, context, signal)]);
    const {name, group} = user ?? {name: 'nova', group: 'nova'};
    const make = `install -d -o ${name} -g ${group} -m 0700 ${directory}; where it is not below /var/lib/cellar, ReadWritePaths=${directory} by \`systemctl edit cellar-agent\`, and restart it`;
    if (why !== undefined) return fail(`the agent cannot use it, and converts no images: ${why}`, make);
    const found = await stat(directory).catch((error: NodeJS.ErrnoException) => error);
    if (found instanceof Error) {
      if (found.code !== 'ENOENT')
        return fail(`${directory} cannot be looked at: ${found.code}`, `ls -ld ${directory}`);
      const parent = await stat(dirname(directory)).catch(() => undefined);
      const nor = parent ? '' : `, nor does ${dirname(directory)}`;
      return warn(`${directory} does not exist${nor}: the agent tries to make it`, make);
    }
    if (!found.isDirectory()) return fail(`${directory} is no directory`, 'correct [image_store] spool_dir');
    if (user !== undefined && found.uid !== user.uid)
      return fail(`${directory} belongs to uid ${found.uid}, and the agent is ${name}, uid ${user.uid}`, make);
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
    if (found.mode & 0o077) return warn(`${directory} is open to others, mode ${mode}`, `chmod 0700 ${directory}`);
    const {bavail, bsize} = await statfs(directory);
    const free = (bavail * bsize) / 1024 ** 3;
    const seen = `${directory}, ${free.toFixed(1)} GiB free`;
    if (free < size)
      return warn(
        `${seen}; [image_store] spool_size is ${size} GiB`,
        'lower spool_size, or put the spool on a larger file system',
      );
    return ok(seen);
  },
};

/** Why the agent cannot use it: it alone knows its user and its sandbox. undefined: it can, has another one, or does not answer. */
async function refusalOf(directory: string, agent: Context, signal: AbortSignal): Promise<string | undefined> {
  const client = createClient({socket: agent.socket, version: agent.version});
  const status = await client.status({signal, timeout: 10_000}).catch(() => undefined);
  const spool = status?.spool;
  return spool?.directory === directory && spool.state === 'down' ? (spool.why ?? 'it does not say why') : undefined;
}

/** Whom systemd runs the agent as; undefined where it does not run it, or cannot say. */
async function unitUser(signal: AbortSignal): Promise<{name: string; group: string; uid: number} | undefined> {
  const ask = async (command: string, ...args: string[]) =>
    (await promisify(execFile)(command, args, {signal, timeout: 10_000})).stdout;
  try {
    const properties = ['LoadState', 'User', 'Group'];
    const shown = await ask('systemctl', 'show', 'cellar-agent.service', `--property=${properties.join(',')}`);
    const [state, name, group] = properties.map(key => new RegExp(`^${key}=(.*)$`, 'm').exec(shown)?.[1]);
    if (state !== 'loaded' || !name) return undefined;
    return {name, group: group || name, uid: Number(await ask('id', '-u', name))};
  } catch {
    return undefined;
  }
}
