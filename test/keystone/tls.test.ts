import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import test from 'ava';

import {Session, type SessionOptions} from '../../src/keystone/session.ts';
import {fails} from '../helpers/fails.ts';
import {cellarUser, sendToken} from '../helpers/fake-keystone.ts';
import {startServer, type TestServer} from '../helpers/with-server.ts';

const run = promisify(execFile);
let directory = '';
let cert = '';
let key = '';

test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cellar-tls-'));
  [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  const subject = ['-subj', '/CN=keystone', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1'];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  ]);
});

test.after.always(() => rm(directory, {recursive: true, force: true}));

async function startTls(more: object = {}): Promise<TestServer> {
  const files = {cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8')};
  return startServer(({count}, response) => sendToken(response, count), {...files, ...more});
}

async function tokenWith(url: string, options: SessionOptions): Promise<string> {
  const session = new Session(cellarUser(url), {retries: 2, retry_delay: 0.01, ...options});
  try {
    return await session.token(AbortSignal.timeout(10_000));
  } finally {
    session.close();
  }
}

test('a certificate nobody vouches for is a config error, without a retry', async t => {
  await using keystone = await startTls();
  // A retry would wait longer than the test does.
  const error = await fails(t, tokenWith(keystone.url, {retry_delay: 60}), 'config', /TLS: self-signed certificate$/);
  t.regex(error.hint ?? '', /cafile/);
  t.is(keystone.seen.length, 0);
});

test('with its authority in cafile it is trusted', async t => {
  await using keystone = await startTls();
  t.is(await tokenWith(keystone.url, {cafile: cert}), 's3cr3t-token-1');
});

test('a certificate of another host is not', async t => {
  await using keystone = await startTls();
  const url = keystone.url.replace('127.0.0.1', 'localhost');
  await fails(t, tokenWith(url, {cafile: cert}), 'config', /TLS: .*does not match certificate's altnames/);
});

test('insecure trusts all', async t => {
  await using keystone = await startTls();
  t.is(await tokenWith(keystone.url, {insecure: true}), 's3cr3t-token-1');
});

test('a server that asks for a certificate gets ours', async t => {
  await using keystone = await startTls({requestCert: true, rejectUnauthorized: true, ca: await readFile(cert)});
  t.is(await tokenWith(keystone.url, {cafile: cert, certfile: cert, keyfile: key}), 's3cr3t-token-1');
  await fails(t, tokenWith(keystone.url, {cafile: cert, retries: 0}), 'config', /TLS: .*certificate required/);
});

test('files that are not there or hold something else are named', async t => {
  const missing = join(directory, 'nowhere.pem');
  await fails(t, tokenWith('https://k', {cafile: missing}), 'config', /^cafile: cannot read .*nowhere\.pem: ENOENT/);
  const junk = join(directory, 'junk.pem');
  await writeFile(junk, 'junk');
  await fails(t, tokenWith('https://k', {cafile: junk}), 'config', /^cafile: .*junk\.pem holds no certificate$/);
  await fails(t, tokenWith('https://k', {certfile: junk}), 'config', /^TLS: cannot use .*junk\.pem/);
});
