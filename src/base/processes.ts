import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';

/**
 * Which of these file names a process has in its command line, with one such process each: `rbd import` and `qemu-img info`,
 * between their start and their opening of the file. What a process does not show is passed over: this only narrows a window
 * that holding Nova's lock closes, and an open file is known by its lease.
 */
export async function namedBy(names: readonly string[]): Promise<Map<string, number>> {
  const users = new Map<string, number>();
  if (names.length === 0) return users;
  for (const id of await readdir('/proc')) {
    if (!/^\d+$/.test(id)) continue;
    const line = await readFile(join('/proc', id, 'cmdline'), 'latin1').catch(() => '');
    for (const name of names) if (line.includes(name)) users.set(name, Number(id));
  }
  return users;
}
