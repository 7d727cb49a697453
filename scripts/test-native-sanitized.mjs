/**
 * Runs tests of the addon on its sanitized build (scripts/build-native.mjs --sanitize), in a Node that has the sanitizers'
 * runtime loaded first. Fails when a test fails, and when a sanitizer reported anything in any of the processes.
 * Needs a running lab. Leaks are not looked for: Node and librados keep plenty until the end; test/native/collected.test.ts
 * looks for ours.
 *
 *   node scripts/test-native-sanitized.mjs [TEST FILES AND OPTIONS OF ava]
 */
import {execFileSync, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const binding = join(root, 'build/Sanitize/rbd.node');
const standard = [
  'arguments',
  'io',
  'objects',
  'locks',
  'clones',
  'closing',
  'exit',
  'workers',
  'collected',
  'hasher',
  'watches',
  'unended',
];
const tests = process.argv.length > 2 ? process.argv.slice(2) : standard.map(name => `test/native/${name}.test.ts`);

if (!existsSync(binding)) fail(`${binding} is missing: run node scripts/build-native.mjs --sanitize`);
const reports = mkdtempSync(join(tmpdir(), 'cellar-sanitized-'));
const status = run();
const reported = readdirSync(reports).map(name => readFileSync(join(reports, name), 'utf8'));
rmSync(reports, {recursive: true});
if (reported.length > 0) fail(`${reported.join('\n')}\nthe sanitizers reported ${reported.length} processes`);
if (status !== 0) fail('tests failed');
console.log('the sanitizers reported nothing');

function run() {
  const logs = `log_path=${join(reports, 'report')}`;
  const env = {
    ...process.env,
    LD_PRELOAD: `${library('libasan.so')}:${library('libubsan.so')}`,
    CELLAR_RBD_BINDING: binding,
    ASAN_OPTIONS: `${logs}:detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1`,
    UBSAN_OPTIONS: `${logs}:print_stacktrace=1`,
  };
  const ava = join(root, 'node_modules/.bin/ava');
  return spawnSync(process.execPath, [ava, '--concurrency=1', ...tests], {cwd: root, env, stdio: 'inherit'}).status;
}

/** The compiler's own: the runtime and the instrumentation belong together. */
function library(name) {
  return realpathSync(execFileSync('g++', [`-print-file-name=${name}`], {encoding: 'utf8'}).trim());
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
