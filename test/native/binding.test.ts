import {execFile} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';
import {RbdError} from '../../src/rbd/rbd-error.ts';

const run = promisify(execFile);

/** What loadBinding() throws in a process where CELLAR_RBD_BINDING names this file. */
async function loadingFails(path: string): Promise<{kind: string; message: string; hint: string}> {
  const module = new URL('../../src/rbd/binding.ts', import.meta.url);
  const script = `
    const {loadBinding} = await import(${JSON.stringify(module)});
    try { loadBinding(); } catch ({kind, message, hint}) { console.log(JSON.stringify({kind, message, hint})); }`;
  const env = {...process.env, CELLAR_RBD_BINDING: path};
  const {stdout} = await run(process.execPath, ['--input-type=module', '--eval', script], {env});
  return JSON.parse(stdout);
}

test('an addon that is missing is a configuration error with the path tried and the remedy', async t => {
  const {kind, message, hint} = await loadingFails('/nowhere/rbd.node');
  t.is(kind, 'config');
  t.regex(message, /^The Ceph addon could not be loaded\. Tried \/nowhere\/rbd\.node: Cannot find module/);
  t.regex(hint, /apt install librbd1/);
});

test("an addon that does not load is a configuration error with the dynamic linker's words", async t => {
  const directory = mkdtempSync(join(tmpdir(), 'cellar-binding-'));
  t.teardown(() => rmSync(directory, {recursive: true}));
  const path = join(directory, 'rbd.node');
  writeFileSync(path, 'this is no library');
  const {kind, message} = await loadingFails(path);
  t.is(kind, 'config');
  t.regex(message, /rbd\.node: .*(file too short|invalid ELF header)/);
});

test('an RbdError names call, object and reason', t => {
  const failure = {code: 'ENOENT', errno: -2, syscall: 'rbd_open', reason: 'No such file or directory'};
  const messages = [
    {pool: 'vms', image: 'disk', snapshot: 'snap'},
    {pool: 'vms', namespace: 'tenant', image: 'disk', detail: 'more'},
    {pool: 'cellar', object: 'cellar.index'},
    {},
  ].map(fields => new RbdError({...failure, ...fields}).message);
  t.deepEqual(messages, [
    'rbd_open vms/disk@snap: No such file or directory',
    'rbd_open vms/tenant/disk: No such file or directory (more)',
    'rbd_open cellar/cellar.index: No such file or directory',
    'rbd_open: No such file or directory',
  ]);
});

test('an RbdError has the fields it was given and no others', t => {
  const fields = {code: 'EBUSY', errno: -16, syscall: 'rbd_remove', pool: 'vms', image: 'disk'};
  const error = new RbdError({...fields, reason: 'Device or resource busy'});
  t.deepEqual({...error}, {...fields, name: 'RbdError'} as typeof error);
  t.false('snapshot' in error);
});
