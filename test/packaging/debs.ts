/** The packages of this checkout, and the same as a later version. */
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {run} from '../lab/run.ts';
import {runContained} from './contained.ts';

const script = fileURLToPath(new URL('../../scripts/package.mjs', import.meta.url));

/** Paths by the package's name. */
export type Debs = Record<'cellar-common' | 'cellar-agent' | 'cellar-registrar', string>;

export async function buildDebs(dir: string): Promise<Debs> {
  const path = `${process.env['PATH']}`; // the pinned Node's and TypeScript's
  const text = await runContained([process.execPath, script, '--quick', '--out', dir], {
    timeoutMs: 540_000,
    env: {PATH: path},
  });
  const debs = Object.fromEntries(
    text
      .trimEnd()
      .split('\n')
      .map(file => [/([a-z-]+)_[^/]*$/.exec(file)?.[1], file]),
  );
  return debs as Debs;
}

/** What the next release would be to dpkg: another version, and a sample with another option. Resolves the paths. */
export async function nextVersion(debs: Debs, version: string): Promise<Debs> {
  const next = Object.entries(debs).map(async ([name, file]) => {
    const dir = mkdtempSync(join(tmpdir(), 'cellar-next-'));
    await run('dpkg-deb', ['--raw-extract', file, dir]);
    const edit = (path: string, change: (text: string) => string) =>
      writeFileSync(join(dir, path), change(readFileSync(join(dir, path), 'utf8')));
    edit('DEBIAN/control', text =>
      text
        .replace(/^Version: .*$/m, `Version: ${version}`)
        .replace(/cellar-common \(= [^)]*\)/, `cellar-common (= ${version})`),
    );
    if (name === 'cellar-common') {
      edit('usr/share/doc/cellar-common/examples/cellar.conf', text => `${text}\n# a later option\n`);
      edit('usr/lib/cellar/package.json', text => text.replace(/"version": "[^"]*"/, `"version": "${version}"`));
    }
    const made = file.replace(/_[^_]*_/, `_${version}_`);
    await run('dpkg-deb', ['-Zgzip', '-z1', '--root-owner-group', '--build', dir, made], {timeoutMs: 300_000});
    rmSync(dir, {recursive: true});
    return [name, made];
  });
  return Object.fromEntries(await Promise.all(next)) as Debs;
}
