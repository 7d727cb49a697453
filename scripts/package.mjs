/**
 * Builds the Debian packages of this checkout, after a setup and with the pinned Node (`npm run package` sees to both):
 *
 *   node scripts/package.mjs [--out DIRECTORY] [--version VERSION] [--quick]
 *
 * --out      where they go; build/deb
 * --version  theirs, instead of the one of package.json
 * --quick    larger packages, in less time
 *
 * The same commit gives the same packages (SOURCE_DATE_EPOCH is the commit's, unless it is set). DEBFULLNAME and DEBEMAIL name
 * the one who builds. The last lines on stdout are the packages.
 */
import {spawnSync} from 'node:child_process';
import {copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {layOut} from './lib/layout.mjs';

const {values} = parseArgs({
  options: {out: {type: 'string'}, version: {type: 'string'}, quick: {type: 'boolean', default: false}},
});
const out = resolve(values.out ?? join(dirname(fileURLToPath(import.meta.url)), '../build/deb'));
process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));

try {
  for (const name of build()) process.stdout.write(`${join(out, name)}\n`);
} catch (error) {
  process.stderr.write(`package: ${error.message}\n`);
  process.exitCode = 1;
}

function build() {
  const scratch = mkdtempSync(join(tmpdir(), 'cellar-package-'));
  try {
    const epoch = Number(process.env.SOURCE_DATE_EPOCH || run('git', ['log', '-1', '--format=%ct']));
    const source = join(scratch, 'cellar');
    cpSync('packaging/deb/debian', join(source, 'debian'), {recursive: true});
    layOut({source, epoch, run, version: values.version});
    run('dpkg-buildpackage', ['--build=binary', '--no-sign', '--no-pre-clean'], {
      cwd: source,
      env: {
        SOURCE_DATE_EPOCH: String(epoch),
        CELLAR_DPKG_DEB: values.quick ? '-Zgzip -z1' : '-Zxz',
        DEB_BUILD_OPTIONS: 'nocheck parallel=2',
      },
    });
    const made = readdirSync(scratch).filter(name => /\.(deb|changes|buildinfo)$/.test(name));
    mkdirSync(out, {recursive: true});
    for (const name of made) copyFileSync(join(scratch, name), join(out, name));
    return made.filter(name => name.endsWith('.deb')).toSorted();
  } finally {
    rmSync(scratch, {recursive: true, force: true});
  }
}

/** Its stdout. What it says on the way is shown only when it fails. */
function run(command, args, {cwd, env = {}} = {}) {
  const options = {
    cwd,
    env: {...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...env},
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  };
  const {status, stdout, stderr, error} = spawnSync(command, args, options);
  if (error)
    throw new Error(`${command} could not be run (${error.code}): \`npm run package\` installs what is missing`);
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')} failed (${status}):\n${stdout}\n${stderr}`);
  return stdout.trim();
}
