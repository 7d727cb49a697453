/**
 * What `npm test` runs once the setup is done: formatting and lint, types, all tests against a real lab, the addon's tests
 * under sanitizers, the build. With arguments, only those tests: `npm test -- test/core/plan.test.ts`.
 * The last line on stdout is `N passed, N failed`.
 */
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {finished, start} from './lib/child.mjs';
import {startLab} from './lib/lab.mjs';
import {listenForTheEnd, quietly, stage, stopped, write} from './lib/stages.mjs';
import {tapReader} from './lib/tap.mjs';

const bin = name => join('node_modules', '.bin', name);
process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
listenForTheEnd();
await main(process.argv.slice(2));

async function main(files) {
  const totals = {passed: 0, failed: 0, skipped: 0};
  const results = await withLab(lab => (files.length > 0 ? checkFiles(files, lab, totals) : checkAll(lab, totals)));
  if (stopped.aborted) write(`stopped: ${stopped.reason.message}`);
  if (totals.skipped > 0) write(`${totals.skipped} skipped`);
  write(`${totals.passed} passed, ${totals.failed} failed`);
  process.exitCode = results.every(Boolean) && !stopped.aborted ? 0 : 1;
}

/** Everything, and on after a failure: one run tells all that is wrong. The lab starts while lint and types are checked. */
async function checkAll(lab, totals) {
  const checked = [
    await stage('lint', 5, signal => quietly(bin('biome'), ['check', '.'], signal)),
    await stage('types', 5, signal => quietly(bin('tsc'), ['--noEmit'], signal)),
  ];
  const script =
    (name, ...args) =>
    signal =>
      quietly(process.execPath, [`scripts/${name}.mjs`, ...args], signal, lab.env);
  const tested = await inLab(lab, async () => [
    await stage('tests', 30, signal => tests([], totals, lab.env, signal)),
    await stage('addon with sanitizers: build', 15, script('build-native', '--sanitize')),
    await stage('addon with sanitizers: tests', 15, script('test-native-sanitized')),
  ]);
  const built = await stage('build', 5, signal => quietly(bin('tsc'), ['--project', 'tsconfig.build.json'], signal));
  return [...checked, ...tested, built];
}

function checkFiles(files, lab, totals) {
  return inLab(lab, async () => [await stage('tests', 30, signal => tests(files, totals, lab.env, signal))]);
}

/** Starts a lab and stops it whatever happens: on a signal at once, while the stage under way is being ended. */
async function withLab(act) {
  const lab = startLab();
  const stop = () => lab.stop();
  stopped.addEventListener('abort', stop);
  if (stopped.aborted) stop();
  try {
    return await act(lab);
  } finally {
    await stop();
  }
}

/** Goes on when the lab is up; a lab that does not start is a failed stage. */
async function inLab(lab, act) {
  const up = await stage('lab', 5, async () => {
    await lab.ready;
    return true;
  });
  return up ? await act() : [false];
}

/** A run without one passed test is no success: a mistyped file name must not look like one. */
async function tests(files, totals, env, signal) {
  const child = start(process.execPath, [bin('ava'), '--tap', ...files], {env});
  const reader = tapReader(write);
  child.stdout.setEncoding('utf8').on('data', reader.push);
  child.stderr.pipe(process.stderr, {end: false});
  const ok = await finished(child, signal);
  reader.end();
  Object.assign(totals, reader.totals);
  return ok && totals.passed > 0 && totals.failed === 0;
}
