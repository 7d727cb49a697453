/**
 * What `npm test` runs once the setup is done: formatting and lint, types, all tests against a real lab, the addon's tests
 * under sanitizers, the tests that need Nova against a lab with it, the build. With arguments, only those tests:
 * `npm test -- test/core/plan.test.ts`. The last line on stdout is `N passed, N failed`.
 */
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {listenForTheEnd, quietly, stage} from './lib/stages.mjs';
import {conclude, inLab, needsNova, noTests, tests, testWithNova, withLab} from './lib/testing.mjs';

const bin = name => join('node_modules', '.bin', name);
process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
listenForTheEnd();
await main(process.argv.slice(2));

async function main(files) {
  const totals = noTests();
  const results = files.length > 0 ? await checkFiles(files, totals) : await checkAll(totals);
  conclude(results, totals);
}

/** Everything, and on after a failure: one run tells all that is wrong. */
async function checkAll(totals) {
  const checked = await withLab('plain', lab => checkInLabs(lab, totals));
  const built = await stage('build', 5, signal => quietly(bin('tsc'), ['--project', 'tsconfig.build.json'], signal));
  return [...checked, built];
}

/** The lab starts while lint and types are checked. The tests with Nova leave the processors time for the sanitizers. */
async function checkInLabs(lab, totals) {
  const checked = [
    await stage('lint', 5, signal => quietly(bin('biome'), ['check', '.'], signal)),
    await stage('types', 5, signal => quietly(bin('tsc'), ['--noEmit'], signal)),
  ];
  const tested = await inLab(lab, async () => [
    await stage('tests', 40, signal => tests([], totals, lab, signal)),
    ...(await Promise.all([sanitized(lab), testWithNova([], totals)])).flat(),
  ]);
  return [...checked, ...tested];
}

async function sanitized(lab) {
  const script =
    (name, ...args) =>
    signal =>
      quietly(process.execPath, [`scripts/${name}.mjs`, ...args], signal, lab.env);
  return [
    await stage('addon with sanitizers: build', 15, script('build-native', '--sanitize')),
    await stage('addon with sanitizers: tests', 15, script('test-native-sanitized')),
  ];
}

async function checkFiles(files, totals) {
  const plain = files.filter(file => !needsNova(file));
  const nova = files.filter(needsNova);
  const inPlainLab = lab =>
    inLab(lab, async () => [await stage('tests', 40, signal => tests(plain, totals, lab, signal))]);
  return [
    ...(plain.length > 0 ? await withLab('plain', inPlainLab) : []),
    ...(nova.length > 0 ? await testWithNova(nova, totals) : []),
  ];
}
