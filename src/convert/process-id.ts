import {readFileSync} from 'node:fs';

/** `<pid>-<start>`: a pid alone may be another process's by now. */
export const thisProcess = `${process.pid}-${startOf(process.pid) ?? 0}`;

/** Does the process that has this id still run? */
export function isAlive(id: string): boolean {
  const [pid, start] = id.split('-');
  return startOf(Number(pid)) === start;
}

/** When it was started, in the kernel's ticks since boot; undefined when there is no such process. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]; // the name before it may hold anything
  } catch {
    return undefined;
  }
}
