/** What conversion needs on this host. */
import {execFile} from 'node:child_process';
import {promisify} from 'node:util';
import {type Check, fail, ok} from '../check.ts';
import {spoolCheck} from './spool.ts';

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
  spoolCheck,
];
