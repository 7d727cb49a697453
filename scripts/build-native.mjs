/**
 * Builds the addon against the pinned Node's own headers, so that nothing is downloaded.
 *
 *   node scripts/build-native.mjs              build/Release/rbd.node
 *   node scripts/build-native.mjs --sanitize   build/Sanitize/rbd.node, with address and undefined-behaviour sanitizers
 */
import {spawnSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, symlinkSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sanitize = process.argv.includes('--sanitize');
const directory = sanitize ? sanitizeDirectory() : root;

const {status} = spawnSync(process.execPath, [nodeGyp(), ...arguments_()], {
  cwd: directory,
  env: {...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`},
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
if (sanitize) copyFileSync(join(directory, 'build/Release/rbd.node'), join(directory, 'rbd.node'));

function nodeGyp() {
  return join(root, 'node_modules/node-gyp/bin/node-gyp.js');
}

function arguments_() {
  const headers = join(root, 'node_modules', `node-linux-${process.arch}`);
  const variables = sanitize ? ['--', '-Dsanitize=1'] : [];
  return ['configure', 'build', '--release', '--jobs=2', '--loglevel=warn', `--nodedir=${headers}`, ...variables];
}

/** node-gyp has one output directory for each binding.gyp: the sanitized build sees the sources through links. */
function sanitizeDirectory() {
  const path = join(root, 'build/Sanitize');
  mkdirSync(path, {recursive: true});
  for (const name of ['binding.gyp', 'native', 'node_modules']) {
    if (!existsSync(join(path, name))) symlinkSync(join('../..', name), join(path, name));
  }
  return path;
}
