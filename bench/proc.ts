/** What the kernel says about a process's memory and processor time. */
import {readFileSync, writeFileSync} from 'node:fs';

export type Resident = {now: number; peak: number; anonymous: number};

/** Bytes: VmRSS, VmHWM, RssAnon. */
export function residentBytes(pid: number): Resident {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024;
  return {now: field('VmRSS'), peak: field('VmHWM'), anonymous: field('RssAnon')};
}

/** VmHWM begins anew, from what is resident now. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Looks every 20 ms; the function it returns ends that and tells the most that was seen. */
export function watchAnonymous(pid: number): () => number {
  let most = 0;
  const look = () => {
    most = Math.max(most, residentBytes(pid).anonymous);
  };
  const timer = setInterval(look, 20);
  look();
  return () => {
    clearInterval(timer);
    look();
    return most;
  };
}

export type Cpu = {used: number; waited: number};

/**
 * Milliseconds so far: processor time of all its threads, and how long its main thread was ready to run while others had the
 * processor. On a quiet machine that wait is next to nothing; where it is not, times are the machine's and not the program's.
 */
export function cpuOf(pid: number): Cpu {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const waited = Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]);
  return {used: ticks * 10, waited: waited / 1e6};
}
