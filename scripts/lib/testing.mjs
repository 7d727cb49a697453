/** Tests in a lab of their own, as stages of a check. */
import {join} from 'node:path';
import {finished, start} from './child.mjs';
import {startLab} from './lab.mjs';
import {stage, stopped, write} from './stages.mjs';
import {fileOf, tapReader} from './tap.mjs';
import {watchWorkers} from './watch.mjs';

const labs = {
  plain: {title: 'lab', config: 'ava.config.mjs', options: [], minutes: 5, fileMinutes: 10},
  nova: {
    title: 'lab with Nova',
    config: 'ava-e2e.config.mjs',
    options: ['--nova', '--cells', '2'],
    minutes: 10,
    fileMinutes: 15,
  },
};

/** Which tests need Nova: those of ava-e2e.config.mjs. */
export const needsNova = file => /(^|\/)test\/e2e\/|\.e2e\.test\.ts$/.test(file);

/**
 * Starts a lab (`plain` or `nova`) and stops it whatever happens: on a signal at once, while the stage under way is being
 * ended. `act` gets it while it starts; `inLab` waits for it.
 */
export async function withLab(kind, act) {
  const lab = {...startLab(labs[kind]), kind};
  const stop = () => lab.stop();
  stopped.addEventListener('abort', stop);
  if (stopped.aborted) stop();
  try {
    return await act(lab);
  } finally {
    stopped.removeEventListener('abort', stop);
    await stop();
  }
}

/** Goes on when the lab is up; a lab that does not start is a failed stage. */
export async function inLab(lab, act) {
  const {title, minutes} = labs[lab.kind];
  const up = await stage(title, minutes, async () => {
    await lab.ready;
    return true;
  });
  return up ? await act() : [false];
}

/** More failures than this are no accident: they are not tried again. */
const mostAccidents = 8;

/**
 * A few tests that fail beside two thousand others are tried again by themselves, on this machine that is then quiet. Those that
 * pass then count as passed, and are told at the end with what they said, for somebody to find out why. Files that were asked for by name are not.
 */
export async function tests(files, totals, lab, signal) {
  const first = await ava(files, lab, signal);
  const retried = files.length === 0 && first.failures.length <= mostAccidents;
  const again = retried ? first.failures.map(({title}) => fileOf(title)) : [];
  const second =
    again.length > 0 && again.every(Boolean) && !signal.aborted
      ? await ava([...new Set(again)], lab, signal, '--concurrency=1')
      : undefined;
  const {failed, failures} = second ?? first;
  totals.passed += first.passed + first.failed - failed;
  totals.failed += failed;
  totals.skipped += first.skipped;
  totals.failures.push(...failures);
  if (second?.ok) totals.unsteady.push(...first.failures);
  return (second ?? first).ok;
}

/** A run without one passed test is no success: a mistyped file name must not look like one. */
async function ava(files, lab, signal, ...options) {
  const args = [join('node_modules', '.bin', 'ava'), '--config', labs[lab.kind].config, '--tap', ...options, ...files];
  const child = start(process.execPath, args, {env: lab.env});
  const planned = new AbortController();
  const {totals, failures, push, end} = tapReader(write, () => planned.abort());
  child.stdout.setEncoding('utf8').on('data', push);
  child.stderr.pipe(process.stderr, {end: false});
  const {fileMinutes} = labs[lab.kind];
  const watch = watchWorkers(child, {lab: lab.env.CELLAR_LAB, fileMinutes, signal, planned: planned.signal});
  const ended = await finished(child, signal);
  watch.stop();
  end();
  const ok = (ended || watch.lingered) && totals.passed > 0 && totals.failed === 0;
  return {...totals, failures, ok};
}

/** The tests that need Nova, all or these, in a lab of their own. */
export function testWithNova(files, totals) {
  return withLab('nova', lab =>
    inLab(lab, async () => [await stage('tests with Nova', 60, signal => tests(files, totals, lab, signal))]),
  );
}

export const noTests = () => ({passed: 0, failed: 0, skipped: 0, failures: [], unsteady: []});

/** The last lines, and the exit code. What failed is told again: the place where it happened may be thousands of lines up. */
export function conclude(results, totals) {
  if (stopped.aborted) write(`stopped: ${stopped.reason.message}`);
  for (const {title, why} of totals.unsteady)
    write([`unsteady, passed by itself afterwards: ${title}`, ...why].join('\n'));
  for (const {title, why} of totals.failures) write([`✘ ${title}`, ...why].join('\n'));
  if (totals.skipped > 0) write(`${totals.skipped} skipped`);
  write(`${totals.passed} passed, ${totals.failed} failed`);
  process.exitCode = results.every(Boolean) && !stopped.aborted ? 0 : 1;
}
