/** `cellar config`, and where the CLI finds its socket. */
import {chmod, mkdir, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import test from 'ava';
import {version} from '../../src/config/version.ts';
import {temporaryFolder} from '../api/temporary-folder.ts';
import {withServer} from '../api/with-server.ts';
import {cellar} from './run-cli.ts';

const password = 'swordfish-that-nobody-may-see';

async function file(text: string, name = 'cellar.conf'): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, text);
  return path;
}

test('config check says what is read and that it is good', async t => {
  const path = await file('[image_store]\npool = images\n');
  const run = await cellar(['config', 'check', '--config-file', path]);
  t.deepEqual(run, {code: 0, stdout: `the configuration is good; read: ${path}\n`, stderr: ''});
  const json = await cellar(['config', 'check', '--config-file', path, '--json']);
  t.deepEqual(JSON.parse(json.stdout), {schema: 1, ok: true, files: [path], problems: [], exposed: []});
});

test('config check tells every problem with file, line and remedy, and exits 78', async t => {
  const path = await file('[image_store]\nfill_lease = soon\npol = images\n');
  const run = await cellar(['config', 'check', '--config-file', path]);
  t.is(run.code, 78);
  t.is(run.stderr, '');
  t.regex(run.stdout, new RegExp(`${path}:2: \\[image_store\\] fill_lease .*\\n  `));
  t.regex(run.stdout, new RegExp(`${path}:3: .*pol`));
  const json = await cellar(['config', 'check', '--config-file', path, '--json']);
  t.is(json.code, 78);
  const {ok, problems} = JSON.parse(json.stdout);
  t.false(ok);
  t.deepEqual(problems.map(({line}: {line: number}) => line).toSorted(), [2, 3]);
});

test('config check warns of passwords in files that everybody can read, and says how to close them', async t => {
  const path = await file(
    `[keystone_authtoken]\npassword = ${password}\n[DEFAULT]\ntransport_url = rabbit://10.0.0.1/\n[service_user]\ntoken =\n`,
  );
  const check = () => cellar(['config', 'check', '--config-file', path]);
  const good = `the configuration is good; read: ${path}\n`;
  const group = process.getgid?.() === 0 ? `chgrp nova ${path} && ` : '';
  const open = `warning: ${path} has mode 0644: everybody on this host has access to [keystone_authtoken] password (line 2)\n  ${group}chmod 0640 ${path}`;
  await chmod(dirname(path), 0o755);
  await chmod(path, 0o644);
  const run = await check();
  t.is(run.code, 0, 'it works as it is');
  t.true(run.stdout.startsWith(good + open), run.stdout);
  const json = await cellar(['config', 'check', '--config-file', path, '--json']);
  t.like(JSON.parse(json.stdout).exposed[0], {
    file: path,
    mode: '0644',
    options: [{option: '[keystone_authtoken] password', line: 2}],
  });
  t.false(json.stdout.includes(password));
  await chmod(path, 0o640);
  t.is((await check()).stdout, good, 'closed');
  await chmod(path, 0o644);
  await chmod(dirname(path), 0o750);
  t.is((await check()).stdout, good, 'in a directory that is closed');
});

test('config show prints values with their origin, and no secret in any form', async t => {
  const path = await file(`[service_user]\npassword = ${password}\n[agent]\nlog_level = debug\n`);
  for (const form of [[], ['--json'], ['-q']]) {
    const {code, stdout, stderr} = await cellar(['config', 'show', '--config-file', path, ...form], {
      env: {OS_IMAGE_STORE__POOL: 'warm'},
    });
    t.is(code, 0);
    t.false((stdout + stderr).includes(password));
    if (form.length === 0) {
      t.regex(stdout, new RegExp(`^\\[agent\\] log_level +debug +${path}:4$`, 'm'));
      t.regex(stdout, /^\[image_store\] pool +warm +OS_IMAGE_STORE__POOL$/m);
      t.regex(stdout, /^\[service_user\] password +\*\*\* /m);
    } else if (form[0] === '--json') {
      const {schema, files, options} = JSON.parse(stdout);
      t.is(schema, 1);
      t.deepEqual(files, [path]);
      const level = options.find(({group, name}: Record<string, string>) => group === 'agent' && name === 'log_level');
      t.like(level, {text: 'debug', value: 'debug', origin: {from: 'file', file: path, line: 4}});
    } else t.true(stdout.includes('[agent] log_level\n'));
  }
});

test('config sample is a file that config check finds good', async t => {
  const sample = await cellar(['config', 'sample']);
  t.is(sample.code, 0);
  t.regex(sample.stdout, /^\[image_store\]$/m);
  const path = await file(sample.stdout);
  t.is((await cellar(['config', 'check', '--config-file', path])).code, 0);
  t.is(JSON.parse((await cellar(['config', 'sample', '--json'])).stdout).sample, sample.stdout);
});

test('--config-file and --config-dir count in the order they are given', async t => {
  const first = await file('[image_store]\npool = one\n');
  const dir = await temporaryFolder();
  await writeFile(join(dir, 'a.conf'), '[image_store]\npool = two\n');
  const pool = async (...args: string[]) => {
    const {stdout} = await cellar(['config', 'show', '--json', ...args]);
    return JSON.parse(stdout).options.find(
      ({group, name}: Record<string, string>) => group === 'image_store' && name === 'pool',
    ).text;
  };
  t.is(await pool('--config-file', first, '--config-dir', dir), 'two');
  t.is(await pool(`--config-dir=${dir}`, `--config-file=${first}`), 'one');
});

test('the socket is that of --socket, else CELLAR_SOCKET, else [agent] socket', async t => {
  await withServer(
    {},
    async ({socket}) => {
      const path = await file(`[agent]\nsocket = ${socket}\n`);
      const dead = {CELLAR_SOCKET: '/nonexistent/env'};
      const wrong = await file('[agent]\nsocket = /nonexistent/conf\n');
      t.is((await cellar(['status', '-q', '--config-file', path])).code, 0);
      t.is((await cellar(['status', '-q', '--config-file', wrong], {env: {CELLAR_SOCKET: socket}})).code, 0);
      t.is((await cellar(['status', '-q', '--config-file', wrong, '--socket', socket], {env: dead})).code, 0);
      const run = await cellar(['status', '--config-file', path], {env: dead});
      t.is(run.code, 69);
      t.true(run.stderr.includes('/nonexistent/env'));
      t.true((await cellar(['status', '--config-file', wrong])).stderr.includes('/nonexistent/conf'));
    },
    {version},
  );
});

test('a configuration that cannot be read exits 78; what only the agent uses may be wrong', async t => {
  const missing = await cellar(['status', '--config-file', '/nonexistent/cellar.conf']);
  t.is(missing.code, 78);
  t.regex(missing.stderr, /^cellar: \/nonexistent\/cellar\.conf: there is no such file\n/);
  await withServer(
    {},
    async ({socket}) => {
      const path = await file(`[agent]\nsocket = ${socket}\nbogus = 1\n[image_store]\nfill_lease = soon\n`);
      t.is((await cellar(['status', '-q', '--config-file', path])).code, 0);
    },
    {version},
  );
  const bad = await file('[agent]\nsocket =\n');
  t.is((await cellar(['status', '--config-file', bad])).code, 78);
});

test("Nova's own files need not be readable for those who only use the socket", async t => {
  if (process.getuid?.() !== 0) return t.pass('only root can be denied nothing');
  const home = await temporaryFolder();
  await chmod(home, 0o755);
  await mkdir(join(home, '.nova'));
  await writeFile(join(home, '.nova', 'nova.conf'), `[service_user]\npassword = ${password}\n`);
  await chmod(join(home, '.nova', 'nova.conf'), 0o600);
  const run = await cellar(['status'], {env: {HOME: home, OS_AGENT__SOCKET: '/nonexistent/s'}, uid: 65_534});
  t.is(run.code, 69, run.stderr);
  t.true(run.stderr.includes('/nonexistent/s'));
});
