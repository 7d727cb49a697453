/** The commands that operations.md gives for Ceph, run as they stand there: then the keys can do what they should, and no more. */
import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {mkdtempSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {run} from '../lab/run.ts';
import {cellCluster} from '../lab/shared.ts';
import {blocks, page} from './pages.ts';

const mark = randomBytes(4).toString('hex');
const dir = mkdtempSync(join(tmpdir(), 'cellar-docs-'));
const [cache, vms] = [`cellar-${mark}`, `vms-${mark}`];
const user = (name: string) => `${name}-docs-${mark}`;
const keyring = (name: string) => join(dir, `ceph.client.${name}.keyring`);

/** The same commands for pools, users and files of this test. */
const here = (text: string): string =>
  text
    .replace(/client\.(cellar|nova)\b/g, (_, name: string) => `client.${user(name)}`)
    .replace(/\/etc\/ceph\/\S+\.keyring/g, keyring(user('cellar')))
    .replace(/(?<=pool=|pool create |pool init )(cellar|vms)\b/g, name => (name === 'vms' ? vms : cache));

test.after.always(async () => {
  rmSync(dir, {recursive: true, force: true});
  const cell = cellCluster();
  for (const name of ['cellar', 'nova']) await cell.ceph('auth', 'rm', `client.${user(name)}`).catch(() => {});
  for (const pool of [cache, vms]) await cell.removePool(pool).catch(() => {});
});

test.serial("the first blocks of operations.md make the agent's and Nova's rights", async t => {
  const cell = cellCluster();
  const shell = (text: string) =>
    execFileSync('timeout', ['120', 'sh', '-ec', text], {
      env: {...process.env, CEPH_ARGS: `-c ${cell.conf}`},
      stdio: 'pipe',
    });
  shell(`ceph osd pool create ${vms} && rbd pool init ${vms}`); // Nova has it already
  await cell.ceph('auth', 'get-or-create', `client.${user('nova')}`, '-o', keyring(user('nova')));
  const [make, restrict] = blocks(page('docs/operations.md')).filter(
    ({lang, text}) => lang === 'sh' && /ceph auth (caps|get-or-create)/.test(text),
  );
  t.regex(make?.text ?? '', /client\.cellar/);
  t.regex(restrict?.text ?? '', /client\.nova/);
  shell(`umask 022; ${here(make?.text ?? '')}`);
  t.is(statSync(keyring(user('cellar'))).mode & 0o777, 0o600, 'others may read the key of all disks');
  shell(here(restrict?.text ?? ''));

  const as = (name: string, ...args: string[]) =>
    run('rbd', ['-c', cell.conf, '--id', user(name), '--keyring', keyring(user(name)), ...args]);
  await as('cellar', 'create', '--size', '4M', `${cache}/copy`);
  await as('cellar', 'snap', 'create', `${cache}/copy@snap`);
  await as('cellar', 'snap', 'protect', `${cache}/copy@snap`);
  await as('cellar', 'clone', `${cache}/copy@snap`, `${vms}/by-cellar`);
  await as('nova', 'clone', `${cache}/copy@snap`, `${vms}/by-nova`);
  t.regex(await as('nova', 'info', `${vms}/by-nova`), new RegExp(`parent: ${cache}/copy@snap`));
  for (const args of [
    ['create', '--size', '4M', `${cache}/other`],
    ['snap', 'create', `${cache}/copy@other`],
    ['snap', 'unprotect', `${cache}/copy@snap`],
    ['rm', `${cache}/copy`],
  ])
    await t.throwsAsync(as('nova', ...args), undefined, `Nova's key: ${args.join(' ')}`);
  t.is((await as('cellar', 'ls', cache)).trim(), 'copy');
});
