/** Debian packages: which of ours are missing, and their installation. */
import {spawnSync} from 'node:child_process';
import {chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {packages} from './packages.mjs';
import {run, SetupError, step} from './steps.mjs';
import {withoutNewUnits} from './units.mjs';

/** Installs those of these packages that are missing. What they would start, now or at the next boot, they do not start. */
export async function ensurePackages(wanted = Object.keys(packages)) {
  const missing = missingPackages(wanted);
  if (missing.length === 0) return;
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  if (process.getuid() !== 0) {
    const why = missing.map(name => `  ${name}: ${packages[name]}`).join('\n');
    const command = `sudo apt-get update && sudo apt-get ${install.join(' ')}`;
    throw new SetupError(
      `these Debian packages are missing:\n${why}\nInstall them, then run this again:\n\n  ${command}\n`,
    );
  }
  const env = {DEBIAN_FRONTEND: 'noninteractive'};
  await step('apt-get update', () => run('apt-get', ['update', '-q'], {env}));
  await step(`apt-get install ${missing.join(' ')}`, () =>
    withoutNewUnits(() => withoutServices(() => run('apt-get', ['-q', ...install], {env}))),
  );
  const still = missingPackages(wanted);
  if (still.length > 0) throw new SetupError(`apt-get did not install ${still.join(' ')}`);
}

function missingPackages(wanted) {
  const format = `--showformat=\${Package} \${db:Status-Status}\n`;
  const {stdout, error} = spawnSync('dpkg-query', ['--show', format, ...wanted], {encoding: 'utf8'});
  if (error) {
    throw new SetupError(
      `this machine has no dpkg-query: the setup knows Debian 12 and its kin. What it would have installed: ${wanted.join(' ')}`,
    );
  }
  const installed = new Set(stdout.split('\n').map(line => line.replace(/ installed$/, '')));
  return wanted.filter(name => !installed.has(name));
}

const policy = '/usr/sbin/policy-rc.d';
const aside = `${policy}.before-cellar-setup`;
const ours = '#!/bin/sh\n# cellar setup: no service is started while it installs packages\nexit 101\n';

/** Debian starts what it installs; a developer's machine must not end up with a Keystone and a Glance of its own. */
async function withoutServices(act) {
  const leftOver = existsSync(policy) && readFileSync(policy, 'utf8') === ours; // a setup that was killed
  if (existsSync(policy) && !leftOver) renameSync(policy, aside);
  writeFileSync(policy, ours);
  chmodSync(policy, 0o755);
  try {
    await act();
  } finally {
    rmSync(policy, {force: true});
    if (existsSync(aside)) renameSync(aside, policy);
  }
}
