/** What the bench needs beside the lab: said before anything starts. */
import {run} from '../test/lab/run.ts';

const needed = {
  'python3-nova': "Nova's own code, which cellar is measured against",
  'python3-glanceclient': "Nova's downloads",
  'python3-rbd': "Nova's clones",
  'ceph-common': 'the rbd and rados commands',
  'qemu-utils': 'qemu-img',
  curl: '`curl | rbd import -`',
};

/** Fails with the apt command when one is missing. */
export async function checkPackages(): Promise<void> {
  const names = Object.keys(needed);
  const format = '$' + '{Package} $' + '{db:Status-Status}\n';
  const listed = await run('dpkg-query', ['--show', `--showformat=${format}`, ...names]).catch(error => String(error));
  const missing = names.filter(name => !listed.split('\n').includes(`${name} installed`));
  if (missing.length === 0) return;
  const why = missing.map(name => `  ${name}: ${needed[name as keyof typeof needed]}`);
  throw new Error(
    `these Debian packages are missing:\n${why.join('\n')}\nInstall them, then run this again:\n\n  apt-get install -y --no-install-recommends ${missing.join(' ')}`,
  );
}
