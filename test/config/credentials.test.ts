import {chmodSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {credentialPath} from '../../src/config/credentials.ts';
import {readConfig} from '../../src/config/load.ts';
import {withFiles} from './with-files.ts';

const bare = {home: '/nowhere', root: '/nowhere'};

test('options in a credential win over every file, and their origin is told', t => {
  const files = {
    'nova.conf': '[service_user]\npassword = old\nusername = nova\n',
    'credentials/cellar-secrets.conf': '[service_user]\npassword = s3cr3t\n',
  };
  withFiles(files, dir => {
    const secrets = join(dir, 'credentials/cellar-secrets.conf');
    chmodSync(secrets, 0o400);
    const env = {CREDENTIALS_DIRECTORY: join(dir, 'credentials')};
    const config = readConfig([{file: join(dir, 'nova.conf')}], {...bare, env});
    t.deepEqual(config.check(), []);
    t.is(config.get('service_user', 'password'), 's3cr3t');
    t.is(config.get('service_user', 'username'), 'nova');
    const entry = config.entries().find(({group, name}) => group === 'service_user' && name === 'password');
    t.like(entry, {text: '***', origin: {from: 'file', file: secrets, line: 2}});
  });
});

test('a credential that others may read or write is refused, and not read', t => {
  const files = {'cellar-secrets.conf': '[service_user]\npassword = s3cr3t\n'};
  withFiles(files, dir => {
    const path = join(dir, 'cellar-secrets.conf');
    for (const mode of [0o604, 0o620, 0o602]) {
      chmodSync(path, mode);
      const config = readConfig([], {...bare, env: {CREDENTIALS_DIRECTORY: dir}});
      t.like(config.check(), [{kind: 'denied', where: path, what: 'others may read or write this file of secrets'}]);
      t.is(config.get('service_user', 'password'), undefined);
    }
    chmodSync(path, 0o440); // systemd's, where an access list names the user
    t.is(readConfig([], {...bare, env: {CREDENTIALS_DIRECTORY: dir}}).get('service_user', 'password'), 's3cr3t');
  });
});

test('a credential of comments stands for one that is not there', t => {
  withFiles({none: '#', blank: '\n  # none\n', key: '# a key\n[client.cellar]\n'}, dir => {
    const env = {CREDENTIALS_DIRECTORY: dir};
    t.is(credentialPath('none', env), undefined);
    t.is(credentialPath('blank', env), undefined);
    t.is(credentialPath('missing', env), undefined);
    t.is(credentialPath('key', env), join(dir, 'key'));
    t.is(credentialPath('key', {}), undefined);
  });
});
