import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import type {GivenOptions} from '../../src/oslo/options.ts';
import {RpcClient} from '../../src/oslo/rpc.ts';
import {fails} from '../helpers/fails.ts';
import {privateRabbit, type Rabbit} from './rabbit.ts';

const dir = mkdtempSync(join(tmpdir(), 'cellar-tls-'));
const file = (name: string) => join(dir, name);
let rabbit: Rabbit;
let url: string;

test.before(async () => {
  for (const ca of ['ca', 'other'])
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${ca}`,
      '-days',
      '2',
      '-keyout',
      file(`${ca}.key`),
      '-out',
      file(`${ca}.pem`),
    );
  certificate('localhost', 'DNS:localhost');
  certificate('client', 'DNS:client');
  rabbit = await privateRabbit(
    port => `listeners.ssl.default = 127.0.0.1:${port + 90}
ssl_options.cacertfile = ${file('ca.pem')}
ssl_options.certfile = ${file('localhost.pem')}
ssl_options.keyfile = ${file('localhost.key')}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
`,
  );
  url = rabbit.url.replace(/@127.0.0.1:(\d+)\//, (_, port: string) => `@localhost:${Number(port) + 7}/`);
});
test.after.always(async () => {
  await rabbit?.[Symbol.asyncDispose]();
  rmSync(dir, {recursive: true, force: true});
});

const good: GivenOptions = {
  ssl: true,
  ssl_ca_file: file('ca.pem'),
  ssl_cert_file: file('client.pem'),
  ssl_key_file: file('client.key'),
};

test.serial('with the authority and a certificate of our own it connects', async t => {
  await t.notThrowsAsync(connects(url, good));
  writeFileSync(file('both.pem'), execFileSync('cat', [file('client.pem'), file('client.key')]));
  await t.notThrowsAsync(connects(url, {...good, ssl_cert_file: file('both.pem'), ssl_key_file: undefined}));
});

test.serial('the query of the URL overrides the options', async t => {
  await t.notThrowsAsync(
    connects(`${url}?ssl=True&ssl_ca_file=${encodeURIComponent(file('ca.pem'))}`, {
      ...good,
      ssl: false,
      ssl_ca_file: '/nowhere',
    }),
  );
});

test.serial('an authority that is not ours is refused', async t => {
  await fails(t, connects(url, {...good, ssl_ca_file: file('other.pem')}), 'config', /TLS: .*(certificate|signature)/);
  await fails(t, connects(url, {...good, ssl_ca_file: undefined}), 'config', /TLS: .*certificate/);
});

test.serial('the host must be that of the certificate, unless that is waived', async t => {
  const other = url.replace('@localhost:', '@127.0.0.1:');
  await fails(t, connects(other, good), 'config', /TLS: .*IP: 127.0.0.1 is not in the cert/);
  await t.notThrowsAsync(connects(other, {...good, ssl_enforce_hostname_verification: false}));
  // The chain is checked all the same.
  await fails(
    t,
    connects(other, {...good, ssl_enforce_hostname_verification: false, ssl_ca_file: file('other.pem')}),
    'config',
    /TLS: /,
  );
});

test.serial('files that cannot be used are named', async t => {
  await fails(
    t,
    connects(url, {...good, ssl_ca_file: '/nowhere/ca.pem'}),
    'config',
    /ssl_ca_file: .*\/nowhere\/ca.pem/,
  );
  await fails(t, connects(url, {...good, ssl_key_file: file('ca.key')}), 'config', /TLS with .*client.pem.*key/);
  writeFileSync(file('empty.pem'), '');
  await fails(
    t,
    connects(url, {...good, ssl_ca_file: file('empty.pem')}),
    'config',
    /ssl_ca_file: .*empty.pem holds no certificate/,
  );
});

test.serial('a broker that wants a certificate, or TLS, says so', async t => {
  const error = await t.throwsAsync(connects(url, {...good, ssl_cert_file: undefined, ssl_key_file: undefined}));
  t.regex(error.message, /RabbitMQ at localhost:\d+: /);
  await fails(t, connects(url, {ssl: false}), 'unavailable', /RabbitMQ at localhost:\d+: /);
});

async function connects(to: string, rabbit: GivenOptions): Promise<void> {
  const rpc = new RpcClient({url: to, rabbit});
  try {
    await rpc.connected(AbortSignal.timeout(5000));
  } finally {
    await rpc.close();
  }
}

function certificate(name: string, alternative: string): void {
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    file(`${name}.key`),
    '-out',
    file(`${name}.csr`),
  );
  writeFileSync(file('ext'), `subjectAltName=${alternative}\n`);
  openssl(
    'x509',
    '-req',
    '-in',
    file(`${name}.csr`),
    '-CA',
    file('ca.pem'),
    '-CAkey',
    file('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    file('ext'),
    '-out',
    file(`${name}.pem`),
  );
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, {stdio: ['ignore', 'ignore', 'pipe']});
}
