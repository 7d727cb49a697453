/** Notices that the npm that started us is gone. */
import {statOf} from './proc.mjs';

/**
 * Calls `onOrphaned` when a process between us and the outermost `npm` is no longer there: a killed `npm test` takes its
 * shell along, but what that shell had started would go on by itself.
 */
export function watchAncestors(onOrphaned) {
  const chain = npmAncestors();
  const timer = setInterval(() => {
    if (chain.every(({pid, started}) => statOf(pid)?.started === started)) return;
    clearInterval(timer);
    onOrphaned();
  }, 500);
  timer.unref();
}

/** Our ancestors up to the outermost one that is an npm; none when no npm started us. */
function npmAncestors() {
  const chain = [];
  let length = 0;
  for (let each = statOf(process.ppid); each && each.pid > 1; each = statOf(each.parent)) {
    chain.push(each);
    if (each.name.startsWith('npm')) length = chain.length;
  }
  return chain.slice(0, length);
}
