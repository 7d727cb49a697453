/** Sees to it that ava ends, and that whoever reads the output learns what it was that did not. */
import {write} from './stages.mjs';
import {processesOf, threadsOf} from './workers.mjs';

/** ms that ava has to end once it has told all results. */
const goodbye = 10_000;

/**
 * ava waits for ever for a file whose process does not end, and for any process that has a file's output open; it says nothing of either.
 * A file that is under way for longer than `fileMinutes` is killed here, which ava tells as its failure. An ava that does not end after
 * its plan, when `planned` is aborted, is killed: `lingered` is set then, and what it waited for is told. What was under way when
 * `signal` aborts is told too.
 */
export function watchWorkers(child, {lab, fileMinutes, signal, planned}) {
  const others = () => processesOf(lab).filter(({pid}) => pid !== child.pid);
  const tell = title => write([`  ${title}`, ...others().flatMap(lines)].join('\n    '));
  const timers = [setInterval(endOverdue, 5000)];
  const watch = {lingered: false, stop};
  const longest = new Map();
  planned.addEventListener('abort', onPlanned);
  signal.addEventListener('abort', onAbort);
  return watch;

  function endOverdue() {
    const workers = others().filter(({file}) => file !== undefined);
    for (const {file, seconds} of workers) longest.set(file, Math.round(seconds));
    for (const {pid, file} of workers.filter(({seconds}) => seconds > fileMinutes * 60)) {
      tell(`${file} did not end within ${fileMinutes} minutes, and is killed:`);
      process.kill(pid, 'SIGKILL');
    }
  }

  function onPlanned() {
    const end = () => {
      tell('left by the tests, which have all ended:');
      watch.lingered = true;
      child.kill('SIGKILL');
    };
    timers.push(setTimeout(end, goodbye));
  }

  function onAbort() {
    tell('under way:');
  }

  function stop() {
    const files = [...longest].sort(([, a], [, b]) => b - a).slice(0, 12);
    if (longest.size > 12) write(`  longest: ${files.map(([file, seconds]) => `${file} ${seconds} s`).join(', ')}`);
    for (const timer of timers) clearTimeout(timer);
    planned.removeEventListener('abort', onPlanned);
    signal.removeEventListener('abort', onAbort);
  }
}

const lines = ({pid, command, seconds}) => [
  `${command.slice(0, 150)} (pid ${pid}, for ${Math.round(seconds)} s)`,
  ...threadsOf(pid).map(line => `  ${line}`),
];
