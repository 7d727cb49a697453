import {spawn, spawnSync} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {isAlive, thisProcess} from '../../src/convert/process-id.ts';
import {Spool, type SpoolOptions} from '../../src/convert/spool.ts';
import type {Hasher} from '../../src/convert/spool-file.ts';
import {CellarError} from '../../src/core/errors.ts';

function directoryOf(t: ExecutionContext): string {
  const base = mkdtempSync(join(tmpdir(), 'cellar-spool-'));
  t.teardown(() => rmSync(base, {recursive: true, force: true}));
  return join(base, 'spool');
}

/** A spool whose files are hashed here and now. */
const open = (options: Omit<SpoolOptions, 'hasher'>, hasher: SpoolOptions['hasher'] = hashHere) =>
  Spool.open({...options, hasher});

function hashHere(digests: string[]): Hasher {
  const hashes = digests.map(algo => [algo, createHash(algo)] as const);
  return {
    update: async chunk => {
      for (const [, hash] of hashes) hash.update(chunk);
    },
    finish: async () => Object.fromEntries(hashes.map(([algo, hash]) => [algo, hash.digest('hex')])),
    close: async () => {},
  };
}

const modeOf = (path: string) => statSync(path).mode & 0o777;

async function fails(t: ExecutionContext, work: Promise<unknown>): Promise<CellarError> {
  const error = await t.throwsAsync(work, {instanceOf: CellarError});
  if (error === undefined) throw new Error('it did not fail');
  return error;
}

test('what is written is there to read by its path, and gone afterwards', async t => {
  const directory = directoryOf(t);
  const spool = await open({directory, limit: 1000});
  t.is(modeOf(directory), 0o700);
  let path = '';
  {
    await using file = await spool.create(6, ['md5']);
    path = file.path;
    t.is(modeOf(path), 0o600);
    await file.write(Buffer.from('abc'));
    await file.write(Buffer.from('def'));
    t.deepEqual(await file.finish(), {md5: createHash('md5').update('abcdef').digest('hex')});
    t.is(readFileSync(path, 'utf8'), 'abcdef');
    t.deepEqual(spool.usage, {files: 1, taken: 6, limit: 1000});
    await t.throwsAsync(file.write(Buffer.from('g')), {instanceOf: TypeError});
  }
  t.false(existsSync(path));
  t.deepEqual(spool.usage, {files: 0, taken: 0, limit: 1000});
});

test('several writes may be pending: the file and its digests have them in order', async t => {
  const data = randomBytes(1_000_003);
  const spool = await open({directory: directoryOf(t), limit: 2 ** 20});
  await using file = await spool.create(data.length, ['sha256', 'md5']);
  const writes: Promise<void>[] = [];
  for (let at = 0; at < data.length; at += 70_001) writes.push(file.write(data.subarray(at, at + 70_001)));
  await Promise.all(writes);
  const hex = (algo: string) => createHash(algo).update(data).digest('hex');
  t.deepEqual(await file.finish(), {sha256: hex('sha256'), md5: hex('md5')});
  t.true(readFileSync(file.path).equals(data));
});

test('a chunk is given back when it was both written and hashed', async t => {
  const hashed = Promise.withResolvers<void>();
  const slow = (digests: string[]) => ({...hashHere(digests), update: () => hashed.promise});
  const spool = await open({directory: directoryOf(t), limit: 1000}, slow);
  await using file = await spool.create(3, ['md5']);
  let settled = false;
  const write = file.write(Buffer.from('abc')).then(() => {
    settled = true;
  });
  while (statSync(file.path).size < 3) await new Promise(resolve => setImmediate(resolve));
  await new Promise(resolve => setTimeout(resolve, 50));
  t.false(settled);
  hashed.resolve();
  await write;
  t.true(settled);
});

test('a file is removed when nobody writes to it or hashes it any more', async t => {
  const hashed = Promise.withResolvers<void>();
  const steps: string[] = [];
  const slow = (digests: string[]) => ({
    ...hashHere(digests),
    update: () => hashed.promise,
    close: async () => void steps.push('hasher closed'),
  });
  const directory = directoryOf(t);
  const spool = await open({directory, limit: 1000}, slow);
  const file = await spool.create(3, ['md5']);
  const write = file.write(Buffer.from('abc')).then(() => steps.push('written'));
  const disposed = file[Symbol.asyncDispose]().then(() => steps.push('disposed'));
  await new Promise(resolve => setTimeout(resolve, 20));
  t.deepEqual([steps.length, readdirSync(directory).length], [0, 1]);
  hashed.resolve();
  await Promise.all([write, disposed]);
  t.deepEqual(steps, ['written', 'hasher closed', 'disposed']);
  t.deepEqual(readdirSync(directory), []);
});

test('room is taken before the first byte: a full spool is told at once, and not for ever', async t => {
  const spool = await open({directory: directoryOf(t), limit: 1000});
  const first = await spool.create(600, ['md5']);
  const error = await fails(t, spool.create(500, ['md5']));
  t.is(error.kind, 'no-space');
  t.regex(error.message, /has 1000 bytes, 600 of them taken by other conversions; 500 more are needed/);
  t.regex(error.hint ?? '', /try again/);
  t.deepEqual(spool.usage, {files: 1, taken: 600, limit: 1000});
  await first[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  t.deepEqual(spool.usage, {files: 0, taken: 0, limit: 1000});
  await using second = await spool.create(500, ['md5']);
  t.true(existsSync(second.path));
});

test('without its hasher there is no file, and its room is given back', async t => {
  const directory = directoryOf(t);
  const spool = await open({directory, limit: 1000}, () => {
    throw new Error('there is no digest md5');
  });
  const error = await fails(t, spool.create(600, ['sha512', 'md5']));
  t.is(error.message, 'sha512 and md5 of an image cannot be computed: Error: there is no digest md5');
  t.deepEqual(readdirSync(directory), []);
  t.deepEqual(spool.usage, {files: 0, taken: 0, limit: 1000});
});

test('a file that cannot be made closes its hasher', async t => {
  const directory = directoryOf(t);
  let closed = 0;
  const counted = (digests: string[]) => ({...hashHere(digests), close: async () => void closed++});
  const spool = await open({directory, limit: 1000}, counted);
  rmSync(directory, {recursive: true});
  t.is((await fails(t, spool.create(1, ['md5']))).kind, 'internal');
  t.is(closed, 1);
});

test('many at once never take more than there is', async t => {
  const directory = directoryOf(t);
  const spool = await open({directory, limit: 1000});
  const tries = await Promise.allSettled(Array.from({length: 20}, () => spool.create(300, ['md5'])));
  t.is(tries.filter(({status}) => status === 'fulfilled').length, 3);
  t.is(readdirSync(directory).length, 3);
  t.is(new Set(readdirSync(directory)).size, 3);
});

test('more bytes than were asked for take more room, as long as there is some', async t => {
  const spool = await open({directory: directoryOf(t), limit: 10});
  await using file = await spool.create(2, ['md5']);
  await file.write(Buffer.alloc(5));
  t.is(spool.usage.taken, 5);
  const error = await fails(t, file.write(Buffer.alloc(6)));
  t.is(error.kind, 'no-space');
  t.is(spool.usage.taken, 5);
});

test('a file system without the room is told before the first byte', async t => {
  const spool = await open({directory: directoryOf(t), limit: 2 ** 62});
  const error = await fails(t, spool.create(2 ** 60, ['md5']));
  t.is(error.kind, 'no-space');
  t.regex(error.message, /^the file system of .* has \d+ bytes free, \d+ are needed$/);
  t.deepEqual(spool.usage, {files: 0, taken: 0, limit: 2 ** 62});
});

test('a file system that fills up on the way is no space, and what was written goes', async t => {
  const directory = directoryOf(t);
  mkdirSync(directory, {mode: 0o700});
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', directory]).status !== 0) {
    t.log('no right to mount a file system of 1 MiB');
    return t.pass();
  }
  t.teardown(() => spawnSync('umount', ['--lazy', directory]));
  const spool = await open({directory, limit: 2 ** 30});
  const file = await spool.create(100, ['md5']);
  const error = await fails(t, file.write(Buffer.alloc(2 ** 21)));
  t.is(error.kind, 'no-space');
  await file[Symbol.asyncDispose]();
  t.deepEqual(readdirSync(directory), []);
});

test('what the dead left is removed; what lives, and what is not ours, stays', async t => {
  const directory = directoryOf(t);
  mkdirSync(directory);
  chmodSync(directory, 0o755);
  const other = spawn('sleep', ['60']);
  t.teardown(() => other.kill());
  await once(other, 'spawn');
  const stat = readFileSync(`/proc/${other.pid}/stat`, 'latin1').split(' ');
  const alive = `${other.pid}-${stat[21]}.0123456789abcdef.part`;
  const again = `${other.pid}-1.0123456789abcdef.part`; // that pid, but another process had it
  const dead = '4194305-123.0123456789abcdef.part'; // beyond the largest pid
  const names = [alive, again, dead, 'notes.txt', `${dead}.bak`];
  for (const name of names) writeFileSync(join(directory, name), 'x');
  await open({directory, limit: 1});
  t.deepEqual(readdirSync(directory).sort(), [alive, 'notes.txt', `${dead}.bak`].sort());
  t.is(modeOf(directory), 0o700);
});

test('a process knows itself, and that another is gone', t => {
  t.true(isAlive(thisProcess));
  t.false(isAlive(`${process.pid}-1`));
  t.false(isAlive('4194305-1'));
});

test('a directory that cannot be ours is a matter of configuration', async t => {
  const directory = directoryOf(t);
  t.is((await fails(t, open({directory: 'spool', limit: 1}))).kind, 'config');
  writeFileSync(directory, 'a file');
  t.is((await fails(t, open({directory, limit: 1}))).kind, 'config');
  if (process.getuid?.() !== 0) return;
  rmSync(directory);
  mkdirSync(directory);
  spawnSync('chown', ['nobody', directory]);
  const error = await fails(t, open({directory, limit: 1}));
  t.regex(error.message, /it belongs to another user/);
});
