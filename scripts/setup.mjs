/**
 * Makes a clone of this repository ready: Debian packages, npm packages (the pinned Node among them), the addon.
 * Runs on any Node from 20 on, without node_modules, and does only what is not done yet.
 *
 *   node scripts/setup.mjs [--build]
 *
 * --build  only the Debian packages that building needs, and not those for the tests
 */
import {existsSync} from 'node:fs';
import {arch} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {ensurePackages} from './lib/debian.mjs';
import {isStale} from './lib/newer.mjs';
import {buildPackages} from './lib/packages.mjs';
import {run, SetupError, step} from './lib/steps.mjs';

const node = 'node_modules/.bin/node';
process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));

try {
  await setup();
} catch (error) {
  process.stderr.write(`setup: ${error instanceof SetupError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}

async function setup() {
  checkMachine();
  await ensurePackages(process.argv.includes('--build') ? buildPackages : undefined);
  await ensureModules();
  await ensureAddon();
}

function checkMachine() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) throw new SetupError(`Node ${process.versions.node} is too old to begin with: 20 or newer is needed`);
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(arch())) {
    throw new SetupError(
      `${process.platform} on ${arch()} will not do: Ceph's libraries and the pinned Node need Linux on x64 or arm64`,
    );
  }
}

async function ensureModules() {
  const stale = isStale('node_modules/.package-lock.json', ['package-lock.json']);
  if (stale || !existsSync(node)) await step('npm ci', () => run('npm', ['ci', '--no-audit', '--no-fund']));
  if (!existsSync(node))
    throw new SetupError(`npm did not install the pinned Node: ${node} is missing (are optional packages omitted?)`);
}

/** What the addon is built from: its sources, and the headers that come as npm packages. */
async function ensureAddon() {
  const headers = [`node_modules/node-linux-${arch()}/package.json`, 'node_modules/node-addon-api/package.json'];
  const sources = ['native', 'binding.gyp', 'scripts/build-native.mjs', ...headers];
  if (isStale('build/Release/rbd.node', sources))
    await step('building the addon', () => run(node, ['scripts/build-native.mjs']));
}
