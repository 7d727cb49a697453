import {join} from 'node:path';
import test from 'ava';
import {readConfig} from '../../src/config/load.ts';
import {CellarError} from '../../src/core/errors.ts';
import {type RegistrarSettings, registrarSettings} from '../../src/registrar/settings.ts';
import {withFiles} from '../config/with-files.ts';
import {makeAuthority} from './certificates.ts';

const login = `[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:5000
username = nova
password = s3cr3t
`;
const plain = '[registrar]\nplain_http = true\n';

const settingsOf = (conf: string): RegistrarSettings =>
  withFiles({'a.conf': conf}, dir =>
    registrarSettings(readConfig([{file: join(dir, 'a.conf')}], {env: {}, home: '/nowhere', root: '/nowhere'})),
  );

/** Why these are no settings, which is always the configuration's fault. */
function whyNot(conf: string): string {
  try {
    settingsOf(conf);
  } catch (error) {
    if (error instanceof CellarError && error.kind === 'config') return error.message;
    throw error;
  }
  return '';
}

test('TLS is needed, unless plain HTTP was asked for and stays on this host', async t => {
  t.regex(whyNot(login), /^\[registrar\] tls_cert is not set/);
  const {tls: none, listen, auth} = settingsOf(`${login}${plain}`);
  t.is(none, undefined);
  t.deepEqual(listen, {host: '127.0.0.1', port: 8790});
  t.is(auth, 'token');
  t.regex(whyNot(`${login}${plain}listen = 0.0.0.0:8790\n`), /plain_http is true, and listen is 0\.0\.0\.0:8790/);
  await using authority = await makeAuthority();
  const own = await authority.issue('registrar', 'IP:127.0.0.1');
  const certificate = `[registrar]\nlisten = 0.0.0.0:8790\ntls_cert = ${own.certFile}\n`;
  const conf = `${login}${certificate}tls_key = ${own.keyFile}\n`;
  const {tls} = settingsOf(conf);
  t.is(String(tls?.cert), own.cert);
  t.is(String(tls?.key), own.key);
  t.is(tls?.ca, undefined);
  t.regex(whyNot(`${login}${certificate}tls_key = ${authority.certFile}\n`), /^TLS: cannot use/);
  t.regex(whyNot(`${login}${certificate}tls_key = /nowhere\n`), /^\[registrar\] tls_key: cannot read \/nowhere/);
  const both = settingsOf(`${conf}auth = both\nclient_ca = ${authority.certFile}\n`);
  t.is(String(both.tls?.ca), authority.cert);
  t.is(both.login?.auth.username, 'nova');
});

test('who asks for certificates must say whose, and needs TLS; who asks for tokens needs a login', t => {
  t.regex(whyNot(`${login}${plain}auth = certificate\n`), /client_ca is not set/);
  t.regex(whyNot(`${login}${plain}auth = both\nclient_ca = /x\n`), /tls_cert is not set/);
  t.regex(whyNot(plain), /^\[keystone_authtoken\] has no login/);
  const mine = settingsOf(`${login.replace('keystone_authtoken', 'mine')}${plain}auth_section = mine\n`);
  t.is(mine.login?.auth.username, 'nova');
});

test('an unknown name in its section is an error, and defaults are as documented', t => {
  t.regex(whyNot(`${login}${plain}role = x\n`), /role/);
  const {tokenRules, rules, rateLimit, certificateNamesHost} = settingsOf(`${login}${plain}staging_cells = a, b\n`);
  t.deepEqual(tokenRules, {roles: ['service'], projects: [], domain: 'default'});
  t.deepEqual(rules, {defaultCell: undefined, stagingCells: ['a', 'b']});
  t.is(rateLimit, 60);
  t.true(certificateNamesHost);
});

test("a project's name is one of the domain that the login's own project is in", t => {
  for (const [lines, domain] of [
    ['project_domain_name = Services\nuser_domain_name = Users\n', 'Services'],
    ['project_domain_id = d1\nproject_domain_name = Services\n', 'd1'],
    ['default_domain_name = Services\n', 'Services'],
    ['default_domain_id = d1\nproject_domain_name = Services\n', 'Services'],
    ['user_domain_name = Users\n', 'default'],
  ] as const) {
    t.is(settingsOf(`${login}${lines}${plain}`).tokenRules.domain, domain, lines);
  }
});
