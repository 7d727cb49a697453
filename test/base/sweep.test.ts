/** Which base files go, and which stay, and why. */

import {execFileSync, spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {buffer} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {judge, type Seen} from '../../src/base/file.ts';
import {NovaLock} from '../../src/base/lock.ts';
import {whileUnused} from '../../src/base/unused.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {fails} from '../helpers/fails.ts';
import {below, isThere, place, settled} from './place.ts';

const never = new AbortController().signal;
const {tryLockFile, tryLeaseFile} = loadBinding();

/** The one file of the place was kept, for this reason. */
async function stays(t: ExecutionContext, {base, path}: Awaited<ReturnType<typeof place>>, why: RegExp) {
  const [outcome, ...others] = await base.sweep(never);
  t.deepEqual(others, []);
  if (outcome?.outcome !== 'kept') return t.fail(`it was not kept: ${JSON.stringify(outcome)}`);
  t.is(outcome.path, path);
  t.regex(outcome.why, why);
  t.not(lstatSync(path, {throwIfNoEntry: false}), undefined);
  return outcome;
}

test("a base file of a cached image goes; others' files, and other names, stay", async t => {
  const {base, path, image, directory, events, instancesPath} = await place(t);
  for (const name of ['a'.repeat(40), 'ephemeral_10_abcdef0', 'swap_512', `${'b'.repeat(40)}.part`])
    writeFileSync(join(directory, name), 'x');
  writeFileSync(`${path}_20`, 'x');
  await settled(path);
  const before = below(directory);
  const bytes = statSync(path).blocks * 512;
  t.deepEqual(await base.sweep(never), [{image, path, outcome: 'removed', bytes}]);
  t.deepEqual(
    below(directory),
    before.filter(name => join(directory, name) !== path),
  );
  t.deepEqual(events, [{type: 'base-file-removed', image, path, bytes}]);
  t.deepEqual(below(join(instancesPath, 'locks')), [`nova-${path.slice(-40)}`]);
  t.deepEqual(await base.sweep(never), []);
});

test('the file of an ISO stays: Nova is not shown its copy, and would download it for each disk', async t => {
  const {base, path, image, cell, entries} = await place(t);
  const [entry] = entries;
  if (entry === undefined) return t.fail();
  cell.entries.set(image, JSON.stringify({...entry, source: {...entry.source, diskFormat: 'iso'}}));
  await settled(path);
  t.deepEqual(await base.sweep(never), []);
  t.true(isThere(path));
});

test('without a directory of base files there is nothing to do, and nothing is made', async t => {
  const {base, instancesPath, directory, events} = await place(t);
  rmSync(directory, {recursive: true});
  t.deepEqual(await base.sweep(never), []);
  t.deepEqual([below(instancesPath), events], [[], []]);
});

test('a file that has just been renamed to its name stays, and goes when it has settled', async t => {
  const it = await place(t, {settle: 60_000});
  writeFileSync(`${it.path}.x`, 'bytes');
  utimesSync(`${it.path}.x`, 0, 0); // its mtime is old: the rename is what counts
  renameSync(`${it.path}.x`, it.path);
  const outcome = await stays(t, it, /^it has just changed$/);
  t.true(outcome?.outcome === 'kept' && outcome.soon);
  t.deepEqual(it.events, []); // it will pass: nobody needs to be told
});

test('a download or a conversion under way keeps the file; one that died long ago does not', async t => {
  for (const suffix of ['.part', '.converted']) {
    const it = await place(t);
    await settled(it.path);
    writeFileSync(it.path + suffix, 'x');
    await stays(t, it, /^it is being downloaded$/);
    utimesSync(it.path + suffix, 0, Date.now() / 1000 - 7200);
    const open = openSync(it.path + suffix, 'r');
    await stays(t, it, /^it is in use: somebody has it open$/);
    closeSync(open);
    await it.base.sweep(never);
    t.false(isThere(it.path));
    t.true(isThere(it.path + suffix));
  }
});

test('a link stays, and so does what it points at; a directory stays', async t => {
  const it = await place(t);
  const target = join(it.instancesPath, 'target');
  await settled(target);
  symlinkSync(target, it.path);
  await stays(t, it, /^it is no regular file$/);
  t.true(isThere(target));
  rmSync(it.path);
  mkdirSync(it.path);
  await stays(t, it, /^it is no regular file$/);
});

test("a file that belongs to somebody else than its directory stays: that is not Nova's", async t => {
  const it = await place(t);
  await settled(it.path);
  chownSync(it.path, 12345, 12345);
  await stays(t, it, /^it belongs to uid 12345, its directory to 0$/);
});

test('a file that a process has open stays, and is told once; it goes when that is over', async t => {
  const it = await place(t);
  await settled(it.path);
  const holder = spawn('sh', ['-c', 'exec 3<"$BASE"; echo open; read -r _'], {env: {...process.env, BASE: it.path}});
  t.teardown(() => void holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  const why = 'it is in use: somebody has it open';
  await stays(t, it, new RegExp(`^${why}$`));
  await stays(t, it, new RegExp(`^${why}$`));
  t.deepEqual(it.events, [{type: 'base-file-kept', image: it.image, path: it.path, why}]);
  holder.stdin.end();
  await once(holder, 'close');
  await it.base.sweep(never);
  t.false(isThere(it.path));
});

test('a file that a process is about to open stays: its name is in the command line', async t => {
  const it = await place(t);
  await settled(it.path);
  const caller = spawn('sh', ['-c', 'echo named; read -r _', 'sh', `rbd:${it.path}`]);
  t.teardown(() => void caller.kill('SIGKILL'));
  await once(caller.stdout, 'data');
  await stays(t, it, new RegExp(`^process ${caller.pid} uses it$`));
  caller.stdin.end();
  await once(caller, 'close');
  await it.base.sweep(never);
  t.false(isThere(it.path));
});

test('who opens the file while it goes gets all of it', async t => {
  const {path} = await place(t);
  const bytes = randomBytes(1 << 20);
  writeFileSync(path, bytes);
  let read: Promise<Buffer> | undefined;
  await whileUnused(path, tryLeaseFile, async () => {
    const child = spawn('sh', ['-c', 'echo begun; exec cat "$BASE"'], {env: {...process.env, BASE: path}});
    const [begun] = await once(child.stdout, 'data');
    t.is(String(begun), 'begun\n');
    read = buffer(child.stdout);
    await sleep(200); // it waits for us now
    unlinkSync(path);
  });
  t.false(isThere(path));
  t.true((await read)?.equals(bytes));
});

test('a lease is refused to who may not have one, and that is no "unused"', async t => {
  const {path} = await place(t);
  writeFileSync(path, 'x');
  chownSync(path, 12345, 12345);
  const binding = fileURLToPath(new URL('../../build/Release/rbd.node', import.meta.url));
  const program = `
    const addon = require(${JSON.stringify(binding)});
    addon.setErrorClass(class { constructor(fields) { Object.assign(this, fields); } });
    const fd = require('node:fs').openSync(${JSON.stringify(path)});
    process.setgid(65534); process.setuid(65534);
    try { console.log(addon.tryLeaseFile(fd)); } catch (error) { console.log(error.code); }`;
  t.is(execFileSync(process.execPath, ['-e', program], {encoding: 'utf8'}), 'EACCES\n');
});

test("a local disk that is an overlay of the file keeps it: the host's instances of old", async t => {
  for (const [disk, compat] of [
    ['disk', '1.1'],
    ['disk.snapshot', '0.10'],
  ] as const) {
    const it = await place(t);
    const other = join(it.directory, 'c'.repeat(40));
    writeFileSync(other, Buffer.alloc(8192));
    await settled(it.path);
    const instance = join(it.instancesPath, '0b0e2a34-1111-2222-3333-444444444444');
    mkdirSync(instance);
    writeFileSync(join(instance, 'console.log'), 'booting');
    symlinkSync('loop', join(instance, 'loop')); // no disk
    const overlay = (base: string) =>
      execFileSync('qemu-img', [
        'create',
        '-q',
        '-f',
        'qcow2',
        '-o',
        `compat=${compat}`,
        '-b',
        base,
        '-F',
        'raw',
        join(instance, disk),
      ]);
    overlay(it.path);
    await stays(t, it, new RegExp(`/${disk} is an overlay of it$`));
    overlay(other);
    await it.base.sweep(never);
    t.false(isThere(it.path));
  }
});

test('an image whose copy cannot be cloned keeps its file', async t => {
  const it = await place(t);
  await settled(it.path);
  const copy = it.cell.images.get(`cellar/${it.entries[0]?.rbdImage}`);
  for (const snapshot of copy?.snapshots.values() ?? []) snapshot.protected = false;
  await stays(t, it, /^the cell's copy cannot be cloned: the snapshot is not protected/);
});

test('an image that is evicted while Nova is kept from its file keeps it', async t => {
  const {base, path, name, image, instancesPath, cell} = await place(t, {settle: 1000});
  await settled(path, Buffer.alloc(1), 1000);
  const round = base.sweep(never);
  while (!isThere(join(instancesPath, 'locks', `nova-${name}`))) await sleep(10);
  cell.entries.delete(image);
  t.deepEqual(await round, [{image, path, outcome: 'kept', why: 'the cell has no copy of it any more', soon: false}]);
  t.true(isThere(path));
});

test('what cannot be done is told once, with what to do, and nothing fails', async t => {
  const {base, events, cell, path} = await place(t);
  await settled(path);
  cell.before = () => {
    throw Object.assign(new Error('EACCES: permission denied, open locks'), {code: 'EACCES'});
  };
  t.deepEqual([await base.sweep(never), await base.sweep(never)], [[], []]);
  const [event, ...others] = events;
  if (event?.type !== 'base-files-failed') return t.fail();
  t.deepEqual(others, []);
  await fails(t, Promise.reject(event.error), 'forbidden', /^local base files cannot be removed: EACCES/);
});

test('many files go in one round, and Nova is kept from each of them only once', async t => {
  const {base, images, pathOf, directory} = await place(t, {images: 5});
  for (const image of images) await settled(pathOf(image));
  const outcomes = await base.sweep(never);
  t.deepEqual(
    outcomes.map(({image, outcome}) => [image, outcome]).sort(),
    images.map(image => [image, 'removed']).sort(),
  );
  t.deepEqual(below(directory), []);
});

test('a round that is broken off removes nothing, and gives the lock back', async t => {
  const {base, path, name, instancesPath, events} = await place(t, {settle: 1000});
  await settled(path, Buffer.alloc(1), 1000);
  const stop = new AbortController();
  const round = base.sweep(stop.signal);
  const locked = () => isThere(join(instancesPath, 'locks', `nova-${name}`));
  while (!locked()) await sleep(10);
  stop.abort();
  t.deepEqual(await round, []);
  t.true(isThere(path));
  t.deepEqual(events, []);
  await using lock = await NovaLock.take(instancesPath, name, tryLockFile);
  t.not(lock, undefined);
});

test('what is to be considered is looked at at once; otherwise nobody looks before its time', async t => {
  const {base, path, image, events, directory} = await place(t);
  const stop = new AbortController();
  const running = base.keepSweeping(stop.signal);
  await base.consider(image); // there is no file: nothing to look at
  await settled(path);
  await settled(join(directory, 'd'.repeat(40)));
  t.deepEqual(events, []);
  await base.consider(image);
  while (isThere(path)) await sleep(20);
  stop.abort();
  await running;
  t.deepEqual(
    events.map(({type}) => type),
    ['base-file-removed'],
  );
});

const seen = (changes: Partial<Seen>, file: object = {}): Seen => ({
  file: {isFile: () => true, uid: 64060, ctimeMs: 1000, mtimeMs: 1000, blocks: 8, ...file} as Seen['file'],
  unfinished: [],
  owner: 64060,
  now: 10_000,
  settle: 5000,
  ...changes,
});

test('what is judged by looking at it', t => {
  t.deepEqual(judge(seen({})), {kind: 'removable', bytes: 4096});
  t.deepEqual(judge({...seen({}), file: undefined}), {kind: 'absent'});
  t.deepEqual(judge(seen({}, {ctimeMs: 5001})), {kind: 'kept', why: 'it has just changed', soon: true});
  t.deepEqual(judge(seen({}, {mtimeMs: 5001})), {kind: 'kept', why: 'it has just changed', soon: true});
  // a clock that was set back: looked at again in its time only
  t.deepEqual(judge(seen({}, {ctimeMs: 99_999})), {kind: 'kept', why: 'it has just changed', soon: false});
});
