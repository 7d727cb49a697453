import {execFileSync} from 'node:child_process';
import {chmodSync, openSync, writeFileSync} from 'node:fs';
import {Socket} from 'node:net';
import {join} from 'node:path';

/**
 * A directory for PATH whose qemu-img tells what it was started with, arguments and environment, and is then the real one. It
 * tells by a pipe: it runs under limits that let no file grow.
 */
export function spiedQemu(dir: string): {seen: () => string; end: () => void} {
  const fifo = join(dir, 'told');
  execFileSync('mkfifo', [fifo]);
  const real = execFileSync('which', ['qemu-img']).toString().trim();
  const script = join(dir, 'qemu-img');
  writeFileSync(script, `#!/bin/sh\ncat /proc/$$/cmdline /proc/$$/environ > '${fifo}'\nexec ${real} "$@"\n`);
  chmodSync(script, 0o755);
  let seen = '';
  const pipe = new Socket({fd: openSync(fifo, 'r+'), readable: true, writable: false});
  pipe.on('data', chunk => {
    seen += chunk;
  });
  return {seen: () => seen, end: () => pipe.destroy()};
}
