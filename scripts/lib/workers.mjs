/** The processes of a run of tests: which file each works at, and which outlive their test. */
import {readdirSync, readFileSync} from 'node:fs';
import {statOf} from './proc.mjs';

/** Put before the file's path in the title of the process that runs it (test/helpers/title.ts). */
const workerTitle = 'ava: ';

/**
 * All processes that have this `CELLAR_LAB` in their environment, wherever they have gone since, and all that descend from them: ava, its
 * workers, and what those started. `file` is what a worker runs, `seconds` how long it has been there.
 */
export function processesOf(lab) {
  const all = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(name => processOf(Number(name), `CELLAR_LAB=${lab}`))
    .filter(each => each !== undefined);
  const ours = new Set(all.filter(({marked}) => marked).map(({pid}) => pid));
  for (let before = -1; before !== ours.size; ) {
    before = ours.size;
    for (const {pid, parent} of all) if (ours.has(parent)) ours.add(pid);
  }
  return all.filter(({pid}) => ours.has(pid));
}

function processOf(pid, mark) {
  const read = name => readFileSync(`/proc/${pid}/${name}`, 'utf8');
  try {
    const marked = read('environ').split('\0').includes(mark);
    const command = read('cmdline').replaceAll('\0', ' ').trim();
    const stat = statOf(pid);
    if (stat === undefined) return undefined;
    const seconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) - Number(stat.started) / ticksPerSecond;
    const file = command.startsWith(workerTitle) ? command.slice(workerTitle.length) : undefined;
    return {pid, parent: stat.parent, marked, command, seconds, file};
  } catch {
    return undefined; // it is gone
  }
}

/** USER_HZ, which no kernel of an architecture of ours has otherwise. */
const ticksPerSecond = 100;

/**
 * Where each thread is in the kernel: of a worker that has not ended this tells one that waits for an event from one that is stuck in a call.
 */
export function threadsOf(pid) {
  const read = path => {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch {
      return '?';
    }
  };
  try {
    const tasks = readdirSync(`/proc/${pid}/task`).map(
      tid => `${read(`/proc/${pid}/task/${tid}/comm`)}: ${read(`/proc/${pid}/task/${tid}/wchan`)}`,
    );
    return [...new Set(tasks)];
  } catch {
    return [];
  }
}
