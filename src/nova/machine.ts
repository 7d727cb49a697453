/** Processors and KVM, as the kernel tells them in /sys: the services' sandbox hides most of /proc, and /dev/kvm. */
import {existsSync, readFileSync} from 'node:fs';
import {availableParallelism, cpus} from 'node:os';
import {join} from 'node:path';

/** Processors that are online, whichever of them this process may use. `root` is where /sys is looked for. */
export function processors(root = '/'): number {
  let listed = 0;
  try {
    listed = countOf(readFileSync(join(root, 'sys/devices/system/cpu/online'), 'utf8'));
  } catch {
    // no sysfs
  }
  return listed || cpus().length || availableParallelism();
}

/** Of a list of the kernel's, `0-3,8`; 0 of anything else. */
export function countOf(list: string): number {
  const ranges = list.trim().split(',');
  if (!ranges.every(range => /^\d+(-\d+)?$/.test(range))) return 0;
  const sizes = ranges.map(range => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return last - first + 1;
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Can guests run by KVM here? */
export const hasKvm = (root = '/'): boolean =>
  ['sys/devices/virtual/misc/kvm', 'dev/kvm'].some(path => existsSync(join(root, path)));
