/** What conversion needs on this host. */
import {execFile} from 'node:child_process';
import {stat, statfs} from 'node:fs/promises';
import {dirname} from 'node:path';
import {promisify} from 'node:util';
import {type Check, fail, ok, warn} from '../check.ts';

const install = 'apt install qemu-utils qemu-block-extra';

export const hostChecks: Check[] = [
  {
    id: 'qemu-img',
    title: '`qemu-img` is there, and writes to RBD',
    async run(_, signal) {
      let help: string;
      try {
        ({stdout: help} = await promisify(execFile)('qemu-img', ['--help'], {signal, timeout: 10_000}));
      } catch (error) {
        return fail(`qemu-img does not run: ${(error as Error).message}`, install);
      }
      const version = /version ([\d.]+)/.exec(help)?.[1] ?? 'unknown';
      const formats = /Supported formats:(.*)/s.exec(help)?.[1] ?? '';
      if (!/\brbd\b/.test(formats)) return fail(`qemu-img ${version} cannot write to RBD`, install);
      return ok(`version ${version}`);
    },
  },
  {
    id: 'spool',
    title: 'the spool directory is there, with room',
    needs: ['config'],
    async run({config}) {
      const directory = config.get('image_store', 'spool_dir');
      const size = config.get('image_store', 'spool_size');
      const found = await stat(directory).catch((error: NodeJS.ErrnoException) => error);
      if (found instanceof Error) {
        if (found.code !== 'ENOENT')
          return fail(`${directory} cannot be looked at: ${found.code}`, `ls -ld ${directory}`);
        const parent = await stat(dirname(directory)).catch(() => undefined);
        const mend = `install -d -m 0700 ${directory}`;
        return warn(
          `${directory} does not exist${parent ? '' : `, nor does ${dirname(directory)}`}: the agent tries to make it`,
          `${mend}, as the agent's user`,
        );
      }
      if (!found.isDirectory()) return fail(`${directory} is no directory`, 'correct [image_store] spool_dir');
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
  },
];
