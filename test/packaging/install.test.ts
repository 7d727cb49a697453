/** The packages in a clean Debian tree, with nothing but what Debian has: installed, used, upgraded, purged. */
import type {ChildProcess} from 'node:child_process';
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {createInterface} from 'node:readline';
import test, {type ExecutionContext} from 'ava';
import {version} from '../../src/config/version.ts';
import {compareDisk, writeImage} from '../helpers/bytes.ts';
import {run} from '../lab/run.ts';
import {cellCluster, lab, openstack} from '../lab/shared.ts';
import {runContained} from './contained.ts';
import {buildDebs, type Debs, nextVersion} from './debs.ts';
import {makeTree, type Tree} from './tree.ts';

const names = ['cellar-common', 'cellar-agent', 'cellar-registrar'] as const;

test('the packages: lintian, installed in a clean Debian, a disk of an image, an upgrade, a purge', async t => {
  t.timeout(900_000, 'a Debian tree is made at the first run');
  const dir = mkdtempSync(join(tmpdir(), 'cellar-debs-'));
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  const [debs, tree] = await Promise.all([buildDebs(dir), makeTree()]);
  await using _ = tree;
  const linted = lint(debs);
  t.deepEqual(await left(tree), []);

  await tree.install(...copied(tree, debs));
  await installed(t, tree);
  await isClosed(t, tree);
  await makesDisks(t, tree);
  t.is(
    await linted,
    '',
    'lintian: an error or a warning is mended, or overridden with a comment in packaging/deb/debian',
  );

  await upgrade(t, tree, await nextVersion(debs, `${version}+next`));
  await purge(t, tree);
  await nothingLeft(t, tree);
});

/** Its words about errors and warnings; none is good. */
const lint = (debs: Debs) =>
  runContained(['lintian', '--allow-root', '--tag-display-limit=0', ...Object.values(debs)], {
    timeoutMs: 540_000,
  });

/** Copies packages into the tree, and names them as they are called there. */
function copied(tree: Tree, debs: Debs): string[] {
  return Object.values(debs).map(file => {
    copyFileSync(file, join(tree.root, 'root', basename(file)));
    return `/root/${basename(file)}`;
  });
}

async function installed(t: ExecutionContext, tree: Tree): Promise<void> {
  t.is((await tree.run(['cellar', '--version'])).trim(), version);
  t.is((await tree.run(['cellar-registrar', '--version'])).trim(), version);
  t.regex(await tree.run(['cellar', 'config', 'check', '--json']), /"ok":true.*\/etc\/cellar\/cellar\.conf/);
  t.regex(await tree.run(['getent', 'passwd', 'nova', 'cellar-registrar']), /^nova:x:64060:.*\ncellar-registrar:/);
  const needs = async (name: string) => /^Depends: .*$/m.exec(await tree.run(['dpkg', '--status', name]))?.[0] ?? '';
  t.regex(await needs('cellar-agent'), /librados2.*librbd1/);
  t.notRegex(`${await needs('cellar-registrar')} ${await needs('cellar-common')}`, /rados/);
  const wanted = (target: string) =>
    lstatSync(join(tree.root, 'etc/systemd/system', target), {throwIfNoEntry: false}) !== undefined;
  t.true(wanted('multi-user.target.wants/cellar-agent.service') && wanted('sockets.target.wants/cellar-agent.socket'));
  t.false(wanted('sockets.target.wants/cellar-facade.socket'), 'where [facade] listen is empty it would end the agent');
}

/** On a host as the documents describe it: Nova's files, /etc/cellar, /etc/ceph, and the unit's user and rights. */
async function makesDisks(t: ExecutionContext, tree: Tree): Promise<void> {
  const {cache, vms} = await configure(tree);
  const dir = mkdtempSync(join(tmpdir(), 'cellar-images-'));
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  const raw = join(dir, 'raw');
  const qcow2 = join(dir, 'qcow2');
  await writeImage(raw, 24 << 20, 9 << 20);
  await run('qemu-img', ['convert', '-O', 'qcow2', '-c', raw, qcow2]);

  const agent = await startAgent(t, tree);
  for (const [format, path] of Object.entries({raw, qcow2})) {
    const {id} = await openstack().uploadImage({path, diskFormat: format});
    const disk = `${vms}/${format}_disk`;
    const created = JSON.parse(await tree.run(['cellar', 'disk', 'create', disk, '--image', id, '--json']));
    t.like(created, {outcome: 'filled', parent: {pool: cache}});
    t.true((await compareDisk(cellCluster().conf, disk, raw)).identical, `${format}: the disk has the image's bytes`);
  }
  t.is(await ended(agent, 'SIGTERM'), 0);
  await tree.run(['rm', '-r', `/${keyringPath}`, '/run/credentials']); // the operator's, and systemd's
}

async function configure(tree: Tree): Promise<{cache: string; vms: string}> {
  const cell = cellCluster();
  const [cache, vms] = [await cell.createPool('cache'), await cell.createPool('vms')];
  const rights = {mon: 'profile rbd', osd: `profile rbd pool=${cache}, profile rbd pool=${vms}`};
  const {user, keyring} = await cell.addUser(cache, rights);
  const monitors = /^mon host = .*$/m.exec(readFileSync(cell.conf, 'utf8'))?.[0];
  const ceph = 'images_rbd_ceph_conf = /etc/ceph/ceph.conf';
  const nova = readFileSync(lab().novaConf, 'utf8').replace(/^images_rbd_ceph_conf = .*$/m, ceph);
  const own = `[libvirt]\nimages_rbd_pool = ${vms}\n[image_store]\npool = ${cache}\nrbd_user = ${user}\n`;
  const write = (path: string, mode: number, text: string) => {
    mkdirSync(join(tree.root, path, '..'), {recursive: true});
    writeFileSync(join(tree.root, path), text, {mode});
  };
  write('etc/ceph/ceph.conf', 0o644, `[global]\nfsid = ${cell.fsid}\n${monitors}\n`);
  write(keyringPath, 0o600, readFileSync(keyring, 'utf8'));
  write('etc/nova/nova.conf', 0o640, nova);
  write('etc/cellar/cellar.conf.d/cell.conf', 0o644, own);
  await tree.run(['chgrp', 'nova', '/etc/nova/nova.conf']);
  return {cache, vms};
}

const keyringPath = 'etc/ceph/ceph.client.cellar.keyring';

/** As systemd does with its unit: its user and no capability, the directory of its state, the keyring as a credential. */
async function startAgent(t: ExecutionContext, tree: Tree): Promise<ChildProcess> {
  const unit = await tree.run(['cat', '/lib/systemd/system/cellar-agent.service']);
  const value = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
  t.is(value('CapabilityBoundingSet'), '');
  t.true(unit.includes(`LoadCredential=ceph.keyring:/${keyringPath}`));
  const [user, group] = [value('User'), value('Group')];
  const credentials = '/run/credentials/cellar-agent.service';
  await tree.run([
    'install',
    '-d',
    '-m',
    '0750',
    '-o',
    user,
    '-g',
    group,
    '/var/lib/cellar',
    '/run/cellar',
    credentials,
  ]);
  await tree.run(['install', '-m', '0400', '-o', user, `/${keyringPath}`, `${credentials}/ceph.keyring`]);
  const child = tree.start([
    'setpriv',
    ...[
      `--reuid=${user}`,
      `--regid=${group}`,
      '--init-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
      '--no-new-privs',
    ],
    ...['env', `CREDENTIALS_DIRECTORY=${credentials}`, value('ExecStart')],
  ]);
  let text = '';
  child.stderr?.on('data', chunk => {
    text += chunk;
  });
  const lines = createInterface({input: child.stdout as NodeJS.ReadableStream});
  const tooLate = setTimeout(() => child.kill('SIGKILL'), 120_000);
  for await (const line of lines) {
    text += `${line}\n`;
    if (line.includes('cellar-agent is ready')) {
      clearTimeout(tooLate);
      child.stdout?.resume();
      return child;
    }
  }
  clearTimeout(tooLate);
  throw new Error(`the agent ended:\n${text}`);
}

/** The exit code, or the signal. The agent is the first process of its namespace, and its parent passes no signal on. */
async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | string | null> {
  const closed = new Promise<number | string | null>(resolve =>
    child.once('close', (code, how) => resolve(code ?? how)),
  );
  const [first] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
  process.kill(Number(first), signal);
  const tooLate = setTimeout(() => child.kill('SIGKILL'), 120_000);
  return closed.finally(() => clearTimeout(tooLate));
}

async function upgrade(t: ExecutionContext, tree: Tree, next: Debs): Promise<void> {
  const conf = join(tree.root, 'etc/cellar/cellar.conf');
  const edited = `${readFileSync(conf, 'utf8')}# this host's own line\n`;
  writeFileSync(conf, edited);
  await tree.run(['chmod', '0600', '/etc/cellar/cellar.conf.d']);
  // no --force-confold, and nobody who could answer dpkg
  await tree.run(['dpkg', '--install', '--force-unsafe-io', ...copied(tree, next)]);
  t.is((await tree.run(['cellar', '--version'])).trim(), `${version}+next`);
  t.is(readFileSync(conf, 'utf8'), edited);
  t.deepEqual(
    readdirSync(join(tree.root, 'etc/cellar')).toSorted(),
    ['cellar.conf', 'cellar.conf.d'],
    'and nothing beside it',
  );
  t.regex(await tree.run(['cat', '/usr/share/doc/cellar-agent/examples/cellar.conf']), /# a later option/);
  t.regex(await tree.run(['cat', '/etc/cellar/cellar.conf.d/cell.conf']), /rbd_user/);
  t.is(await modes(tree), '640 root nova\n600 root nova\n', 'as the administrator left it');
}

const modes = (tree: Tree) =>
  tree.run(['stat', '--format=%a %U %G', '/etc/cellar/cellar.conf', '/etc/cellar/cellar.conf.d']);

/** Whoever writes a password into it has told the services only. The file itself says nothing: all is in the sample. */
async function isClosed(t: ExecutionContext, tree: Tree): Promise<void> {
  t.is(await modes(tree), '640 root nova\n750 root nova\n');
  for (const user of ['nova', 'cellar-registrar'])
    await tree.run(['setpriv', '--reuid', user, '--regid', user, '--init-groups', 'cat', '/etc/cellar/cellar.conf']);
  t.notRegex(readFileSync(join(tree.root, 'etc/cellar/cellar.conf'), 'utf8'), /^[^#]/m);
  const sample = await tree.run(['cat', '/usr/share/doc/cellar-agent/examples/cellar.conf']);
  t.is(sample, await tree.run(['cellar', 'config', 'sample']));
}

async function purge(t: ExecutionContext, tree: Tree): Promise<void> {
  const note = join(tree.root, 'var/lib/cellar/moves/compute-1.json');
  mkdirSync(join(note, '..'), {recursive: true});
  writeFileSync(note, '{"host": "compute-1", "aggregates": []}\n');
  await tree.run(['dpkg', '--purge', 'cellar-agent']);
  t.deepEqual(readdirSync(join(tree.root, 'var/lib/cellar')), ['moves'], 'the command that goes on with it is there');
  const said = await tree.run(['sh', '-c', `exec dpkg --purge ${names.join(' ')} 2>&1`]);
  t.regex(said, /removing the note of a move .*compute-1\.json:\n\{"host": "compute-1"/);
}

/** Also no spool, no user, and no file that belonged to one. */
async function nothingLeft(t: ExecutionContext, tree: Tree): Promise<void> {
  t.deepEqual(await left(tree), []);
  t.notRegex(await tree.run(['cat', '/etc/passwd', '/etc/group', '/etc/shadow', '/etc/gshadow']), /cellar/);
  t.notRegex(await tree.run(['dpkg-query', '--show']), /cellar/);
}

async function left(tree: Tree): Promise<string[]> {
  const found = ['(', '-name', '*cellar*', '-o', '-nouser', '-o', '-nogroup', ')', '-print'];
  const text = await tree.run(['find', '/', '-xdev', '-path', '/root', '-prune', '-o', ...found]);
  return text.split('\n').filter(line => line !== '');
}
