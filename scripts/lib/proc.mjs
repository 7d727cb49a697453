/** What the kernel tells of a process. */
import {readFileSync} from 'node:fs';

/** undefined when it is gone, or a zombie. `started`: in ticks since boot; with the pid it is unique. */
export function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    return fields[0] === 'Z' ? undefined : {pid, name, parent: Number(fields[1]), started: fields[19]};
  } catch {
    return undefined;
  }
}
