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

const directory = prepare();
const status = build();
if (status === 0 && sanitize) copyFileSync(join(directory, 'build/Release/rbd.node'), join(directory, 'rbd.node'));
process.exitCode = status;

/** node-gyp has one output directory for each binding.gyp: the sanitized build sees the sources through links. */
function prepare() {
  const path = sanitize ? join(root, 'build/Sanitize') : root;
  mkdirSync(join(root, 'build'), {recursive: true});
  mkdirSync(path, {recursive: true});
  for (const name of sanitize ? ['binding.gyp', 'native', 'node_modules'] : []) {
    if (!existsSync(join(path, name))) symlinkSync(join('../..', name), join(path, name));
  }
  return path;
}

/** One build at a time: two in one directory pull files away from under each other. */
function build() {
  const lock = join(root, 'build', sanitize ? '.lock-sanitize' : '.lock');
  const gyp = join(root, 'node_modules/node-gyp/bin/node-gyp.js');
  const headers = join(root, 'node_modules', `node-linux-${process.arch}`);
  const options = ['--release', '--jobs=2', '--loglevel=warn', `--nodedir=${headers}`];
  const command = [process.execPath, gyp, 'configure', 'build', ...options];
  const {status, error} = spawnSync('flock', [lock, ...command], {
    cwd: directory,
    env: {
      ...environment(),
      PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
      ...(sanitize && {GYP_DEFINES: 'sanitize=1'}),
    },
    stdio: 'inherit',
  });
  if (error) throw error;
  return status ?? 1;
}

/** Without npm's settings: node-gyp lets npm_config_nodedir, which a user may have in .npmrc, win over our --nodedir. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(config|package)_/i.test(name)));
}
