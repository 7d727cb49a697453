/** Notices that the npm that started us is gone. */
import {readFileSync} from 'node:fs';

/**
 * Calls `onOrphaned` when a process between us and the outermost `npm` is no longer there: a killed `npm test` takes its
 * shell along, but what that shell had started would go on by itself.
 */
export function watchAncestors(onOrphaned) {
  const chain = npmAncestors();
  const timer = setInterval(() => {
    if (chain.every(({pid, started}) => processOf(pid)?.started === started)) return;
    clearInterval(timer);
    onOrphaned();
  }, 500);
  timer.unref();
}

/** Our ancestors up to the outermost one that is an npm; none when no npm started us. */
function npmAncestors() {
  const chain = [];
  let length = 0;
  for (let each = processOf(process.ppid); each && each.pid > 1; each = processOf(each.parent)) {
    chain.push(each);
    if (each.name.startsWith('npm')) length = chain.length;
  }
  return chain.slice(0, length);
}

function processOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    return fields[0] === 'Z' ? undefined : {pid, name, parent: Number(fields[1]), started: fields[19]};
  } catch {
    return undefined;
  }
}
