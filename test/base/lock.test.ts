/** Nova's lock, against the libraries that Nova takes it with. */
import {chownSync, mkdirSync, renameSync, rmdirSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import files from 'node:fs/promises';
import {syncBuiltinESMExports} from 'node:module';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {NovaLock} from '../../src/base/lock.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {RbdError} from '../../src/rbd/rbd-error.ts';
import {below, isThere, place, settled} from './place.ts';
import {python} from './python.ts';

const never = new AbortController().signal;
const {tryLockFile} = loadBinding();

/** As nova.utils.synchronized with external=True does: argv is the name and the lock path. */
const novaHolds = `
import os, sys
from oslo_concurrency import lockutils
name, path = os.environ['ARGUMENTS'].split('\\n')
with lockutils.lock(name, lock_file_prefix='nova-', external=True, lock_path=path):
    print('held', flush=True)
    sys.stdin.read()
`;

const fastenersTries = `
import os, fasteners
lock = fasteners.InterProcessLock(os.environ['ARGUMENTS'])
print(lock.acquire(blocking=False), flush=True)
`;

test('while Nova holds the lock the file stays; afterwards it goes', async t => {
  const {base, path, name, image, instancesPath} = await place(t);
  await settled(path);
  const nova = python(t, novaHolds, name, join(instancesPath, 'locks'));
  t.is(await nova.line(), 'held');
  t.deepEqual(await base.sweep(never), [{image, path, outcome: 'kept', why: 'Nova has it locked', soon: true}]);
  t.true(isThere(path));
  nova.goOn();
  t.is((await nova.ended).code, 0);
  await base.sweep(never);
  t.false(isThere(path));
});

test('while we hold the lock Nova waits, and gets it when we are done', async t => {
  const {instancesPath, name} = await place(t);
  const locks = join(instancesPath, 'locks');
  const lock = await NovaLock.take(instancesPath, name, tryLockFile);
  t.is(await python(t, fastenersTries, join(locks, `nova-${name}`)).line(), 'False');
  t.is(await NovaLock.take(instancesPath, name, tryLockFile), undefined);
  const nova = python(t, novaHolds, name, locks);
  const got = nova.line();
  t.is(await Promise.race([got, sleep(500, 'waits')]), 'waits');
  await lock?.[Symbol.asyncDispose]();
  t.is(await got, 'held');
  t.is(await NovaLock.take(instancesPath, name, tryLockFile), undefined);
});

test("lock files and their directory are made as Nova's own", async t => {
  const {instancesPath, name} = await place(t);
  chownSync(instancesPath, 64060, 64061);
  await using lock = await NovaLock.take(instancesPath, name, tryLockFile);
  t.not(lock, undefined);
  for (const path of [join(instancesPath, 'locks'), join(instancesPath, 'locks', `nova-${name}`)]) {
    const {uid, gid} = statSync(path);
    t.deepEqual([uid, gid], [64060, 64061], path);
  }
  t.deepEqual(below(instancesPath), [`locks/nova-${name}`]); // nothing else is left
  const other = await NovaLock.take(instancesPath, 'e'.repeat(40), tryLockFile);
  await other?.[Symbol.asyncDispose]();
  t.deepEqual(below(instancesPath), [`locks/nova-${name}`, `locks/nova-${'e'.repeat(40)}`].sort());
});

test('many at once make one lock file, and one of them has the lock', async t => {
  const {instancesPath, name} = await place(t);
  const taken = await Promise.all(Array.from({length: 20}, () => NovaLock.take(instancesPath, name, tryLockFile)));
  t.is(taken.filter(lock => lock !== undefined).length, 1);
  t.deepEqual(below(instancesPath), [`locks/nova-${name}`]);
  for (const lock of taken) await lock?.[Symbol.asyncDispose]();
});

test.serial(
  'who is about to make a lock file while another one replaces the directory tries again, and not for ever',
  async t => {
    const {instancesPath, name} = await place(t);
    const locks = join(instancesPath, 'locks');
    const {open} = files;
    t.teardown(() => replaceOpen(open));
    let left = 1;
    const away: string[] = [];
    replaceOpen(async (path, ...rest) => {
      const [, made] = String(path).split(`${locks}/.cellar-`);
      if (made === undefined || left-- <= 0) return open(path, ...rest);
      away.push(made);
      rmdirSync(locks);
      return open(path, ...rest).finally(() => mkdirSync(locks));
    });
    const lock = await NovaLock.take(instancesPath, name, tryLockFile);
    t.true(await lock?.stands());
    await lock?.[Symbol.asyncDispose]();
    t.deepEqual([away.length, below(instancesPath)], [1, [`locks/nova-${name}`]]);

    rmSync(locks, {recursive: true});
    left = Number.POSITIVE_INFINITY;
    await t.throwsAsync(NovaLock.take(instancesPath, name, tryLockFile), {code: 'ENOENT'});
  },
);

/** For the whole process, as its modules import it. */
function replaceOpen(open: typeof files.open): void {
  Object.assign(files, {open});
  syncBuiltinESMExports();
}

test('a lock whose file was removed, or replaced, is none', async t => {
  const {instancesPath, name} = await place(t);
  const path = join(instancesPath, 'locks', `nova-${name}`);
  await using lock = await NovaLock.take(instancesPath, name, tryLockFile);
  t.true(await lock?.stands());
  rmSync(path);
  t.false(await lock?.stands());
  writeFileSync(path, '');
  t.false(await lock?.stands());
});

test('a file stays whose lock Nova took away meanwhile', async t => {
  const {base, path, instancesPath, name, cell} = await place(t);
  await settled(path);
  const lock = join(instancesPath, 'locks', `nova-${name}`);
  cell.before = step => {
    if (step === 'index-get') renameSync(lock, `${lock}.gone`); // it is held by then
  };
  const [outcome] = await base.sweep(never);
  t.true(outcome?.outcome === 'kept' && outcome.why === 'Nova has removed its lock file');
  t.true(isThere(path));
});

test('a link in place of the lock file is not followed', async t => {
  const {instancesPath, base, path, name, events} = await place(t);
  await settled(path);
  mkdirSync(join(instancesPath, 'locks'));
  symlinkSync('/etc/passwd', join(instancesPath, 'locks', `nova-${name}`));
  t.deepEqual(await base.sweep(never), []);
  t.regex(events[0]?.type === 'base-files-failed' ? events[0].error.message : '', /ELOOP/);
  t.true(isThere(path));
});

test('what is no open file cannot be locked', t => {
  t.throws(() => tryLockFile(987_654), {instanceOf: RbdError, message: /fcntl.*Bad file descriptor/});
  t.throws(() => tryLockFile('1' as unknown as number), {instanceOf: TypeError});
});
