import {join} from 'node:path';
import test from 'ava';
import {readConfig} from '../../src/config/load.ts';
import {maskSecret, maskUrls} from '../../src/config/secret.ts';
import {CellarError} from '../../src/core/errors.ts';
import {withFiles} from './with-files.ts';

const bare = {env: {}, home: '/nowhere', root: '/nowhere'};

/** Everything that can be seen of a configuration: entries, problems and errors. */
function visible(content: string, env: Record<string, string> = {}): string {
  return withFiles({'a.conf': content}, dir => {
    const config = readConfig([{file: join(dir, 'a.conf')}], {...bare, env});
    const errors = config.entries().map(({group, name, option: _option, ...rest}) => {
      let error: unknown;
      try {
        (config.get as (group: string, name: string) => unknown)(group, name);
      } catch (caught) {
        error = caught instanceof CellarError ? [caught.message, caught.hint, caught.object] : caught;
      }
      return [group, name, rest, error];
    });
    return JSON.stringify([config.check(), errors]);
  });
}

// Each of these holds the word in a place where something may quote it.
const leaks: Record<string, string> = {
  'a password': '[service_user]\npassword = hunter2\n',
  'a password with a dollar sign': '[service_user]\npassword = abc$hunter2\n',
  'a password with a group in it': '[service_user]\npassword = abc$hunter2.def\n',
  'a password that looks like a reference to DEFAULT': '[service_user]\npassword = abc$DEFAULT.hunter2\n',
  'a password with a known group in it': '[service_user]\npassword = $libvirt\n  hunter2\n',
  'a secret of an application credential': '[service_user]\napplication_credential_secret = hunter2\n',
  'a token in another section': '[service_user]\ntoken = $other.auth_token\n[other]\nauth_token = hunter2\n',
  'a password without a separator': '[service_user]\npassword hunter2\n',
  'a password broken over a blank line': '[service_user]\npassword = a\n\n  hunter2\n',
  'a password in front of all sections': 'password = hunter2\n',
  'a password as section': '[service_user\n[password=hunter2\n',
  'a password that somebody refers to':
    '[service_user]\npassword = hunter2\n[agent]\nlog_level = $service_user.password\n',
  'a password that somebody refers to, in a list':
    '[service_user]\npassword = hunter2\n[image_store]\ndisk_pools = a,$service_user.password\n',
  'a password that a number refers to':
    '[service_user]\npassword = hunter2\n[image_store]\nfill_lease = $service_user.password\n',
  'a password of Nova that a number refers to':
    '[vendor]\nadmin_password = hunter2\n[image_store]\nfill_lease = $vendor.admin_password\n',
  'a transport URL': '[DEFAULT]\ntransport_url = rabbit://u:hunter2@h:1,v:hunter2@i:2/vhost\n',
  'a transport URL with odd characters': '[DEFAULT]\ntransport_url = rabbit://u:a/b@hunter2@h/\n',
  'a transport URL with a query': '[DEFAULT]\ntransport_url = rabbit://u:p@h/?secret=hunter2\n',
  'a transport URL that is none': '[DEFAULT]\ntransport_url = hunter2\n',
  'a transport URL with a dollar sign': '[DEFAULT]\ntransport_url = rabbit://u:$hunter2@h/\n',
  'a URL of Glance with a password':
    '[glance]\nendpoint_override = http://u:hunter2@h/\napi_servers = http://u:hunter2@h,http://i\n',
  'a URL of Keystone with a password': '[service_user]\nauth_url = http://u:hunter2@h/\n',
  'a URL in a number': '[image_store]\nfill_lease = http://u:hunter2@h/\n',
  'a URL without a separator': '[x]\nsee rabbit//u and http://u:hunter2@h/\n',
};

for (const [name, content] of Object.entries(leaks)) {
  test(`${name} is never shown`, t => {
    t.false(visible(content).includes('hunter2'));
  });
}

test('a password with a dollar sign is told to double it', t => {
  t.true(visible('[service_user]\npassword = abc$DEFAULT.hunter2\n').includes('write $$ for a dollar sign'));
});

test('a secret of the environment is never shown', t => {
  const seen = visible('', {OS_SERVICE_USER__PASSWORD: 'hunter2', OS_DEFAULT__TRANSPORT_URL: 'rabbit://u:hunter2@h/'});
  t.false(seen.includes('hunter2'));
  t.true(seen.includes('OS_SERVICE_USER__PASSWORD'));
});

test('a masked URL keeps what helps: user, hosts, virtual host', t => {
  t.is(maskSecret('rabbit://u:p@h:1,v:q@i:2/vhost'), 'rabbit://u:***@h:1,v:***@i:2/vhost');
  t.is(maskSecret('rabbit://h:1/'), 'rabbit://h:1/');
  t.is(maskSecret('rabbit://u:p@h/?ssl=1'), 'rabbit://u:***@h/?***');
  t.is(maskSecret('password'), '***');
  t.is(maskSecret(''), '');
  t.is(maskUrls('see http://u:p@h/x and /path'), 'see http://u:***@h/x and /path');
});
