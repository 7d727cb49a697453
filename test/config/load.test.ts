import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type LoadOptions, loadConfig, readConfig, takeSources} from '../../src/config/load.ts';
import {CellarError} from '../../src/core/errors.ts';
import {withFiles} from './with-files.ts';

/** A host with nothing on it. */
const bare: LoadOptions = {env: {}, home: '/nowhere', root: '/nowhere'};

/** What one file makes of the configuration, and the path of the file. */
const fromFile = <R>(
  content: string,
  act: (config: ReturnType<typeof readConfig>, path: string) => R,
  more: LoadOptions = {},
): R =>
  withFiles({'cellar.conf': content}, dir => {
    const path = join(dir, 'cellar.conf');
    return act(readConfig([{file: path}], {...bare, ...more}), path);
  });

function refusal(t: ExecutionContext, act: () => unknown): CellarError {
  const error = t.throws(act, {instanceOf: CellarError});
  t.is(error?.kind, 'config');
  return error as CellarError;
}

test('an empty host has every default, and no problem', t => {
  const config = loadConfig([], bare);
  t.deepEqual(config.check(), []);
  t.deepEqual(config.files, []);
  t.is(config.get('image_store', 'pool'), 'cellar');
  t.deepEqual(config.get('image_store', 'disk_pools'), ['rbd']);
  t.is(config.get('agent', 'socket_mode'), 0o660);
  t.is(config.get('cell', 'expected_fsid'), undefined);
  t.is(config.get('image_store', 'fill_lease') + 1, 31, 'numbers are typed as numbers');
});

test("our pools follow Nova's", t => {
  fromFile('[libvirt]\nimages_rbd_pool = vms\nimages_rbd_ceph_conf = /etc/ceph/b.conf\n', config => {
    t.deepEqual(config.get('image_store', 'disk_pools'), ['vms']);
    t.is(config.get('image_store', 'ceph_conf'), '/etc/ceph/b.conf');
  });
});

test("Nova's files come first, then ours, files before directories of the same owner", t => {
  const files = {
    'etc/nova/nova.conf': '[DEFAULT]\nhost = a\nstate_path = /a\nmy_ip = 1.1.1.1\n',
    'etc/nova/nova-compute.conf': '[DEFAULT]\nmy_ip = 2.2.2.2\n',
    'etc/nova/nova.conf.d/x.conf': '[libvirt]\nrbd_user = n\nimages_rbd_pool = n\n',
    'etc/cellar/cellar.conf': '[libvirt]\nrbd_user = c\n[image_store]\npool = c\nrbd_user = c\n',
    'etc/cellar/cellar.conf.d/x.conf': '[image_store]\npool = d\n',
  };
  withFiles(files, root => {
    const config = loadConfig([], {...bare, root});
    t.deepEqual(
      config.files.map(path => path.slice(root.length + 1)),
      Object.keys(files),
    );
    const values = [
      config.get('DEFAULT', 'my_ip'),
      config.get('libvirt', 'rbd_user'),
      config.get('libvirt', 'images_rbd_pool'),
    ];
    t.deepEqual(values, ['2.2.2.2', 'c', 'n']);
    t.is(config.get('image_store', 'pool'), 'd');
    t.is(config.get('DEFAULT', 'instances_path'), '/a/instances');
    const named = loadConfig([{file: join(root, 'etc/nova/nova.conf')}], {...bare, root});
    t.deepEqual(
      named.files.map(path => path.split('/').at(-2)),
      ['nova.conf.d', 'cellar.conf.d', 'nova'],
    );
  });
});

test('a name that is no option is an error in our sections, with file, line and what was meant', t => {
  const content =
    '[image_store]\npool = a\nfil_lease = 9\n[AGENT]\npool = b\nfill-timeout = 3\n[cell]\nxyzzy = 1\n[libvirt]\nxyzzy = 1\n';
  fromFile(content, (config, path) => {
    const found = config.check().map(({where, line, option, hint}) => `${where}:${line} ${option}: ${hint}`);
    t.deepEqual(found, [
      `${path}:8 [cell] xyzzy: \`cellar config sample\` shows all options`,
      `${path}:3 [image_store] fil_lease: did you mean fill_lease?`,
      `${path}:5 [agent] pool: it belongs into [image_store]`,
      `${path}:6 [agent] fill-timeout: it belongs into [image_store] as fill_timeout`,
    ]);
    const error = refusal(t, () => loadConfig([{file: path}], bare));
    for (const line of ['4 problems', `${path}:3: [image_store] fil_lease is no option`])
      t.true(error.message.includes(line));
  });
});

test('check tells every problem at once, each once', t => {
  const files = {
    'a.conf':
      '[image_store]\nfill_lease = 3\nfill_in_flight =\nclone_format = 3\npool = a/b\n[agent]\nsocket_mode = 9\n',
    'b.conf': 'nonsense\n[DEFAULT] # c\n  more\n',
    'c.conf': '[libvirt]\nimages_rbd_pool = $nope\n[cell]\nuuid = 1\n',
  };
  withFiles(files, dir => {
    const names = [...Object.keys(files), 'd.conf'];
    const config = readConfig(
      names.map(name => ({file: join(dir, name)})),
      bare,
    );
    const found = config
      .check()
      .map(({where, line, option, what}) => `${where.slice(dir.length + 1)}:${line} ${option} ${what}`);
    t.deepEqual(found, [
      'b.conf:1 undefined a line has neither = nor :: "nonsense"',
      'b.conf:2 undefined a section does not end with ]: "[DEFAULT] # c"',
      'b.conf:3 undefined an indented line continues nothing: "  more"',
      'd.conf:undefined undefined there is no such file',
      'c.conf:4 [cell] uuid must be a UUID, found "1"',
      'a.conf:5 [image_store] pool must be the name of a pool, without white space, comma, / or @, found "a/b"',
      'c.conf:2 [libvirt] images_rbd_pool refers to $nope, which is not set',
      'a.conf:4 [image_store] clone_format must be one of auto, 1, 2, found "3"',
      'a.conf:3 [image_store] fill_in_flight must not be empty, found ""',
      'a.conf:2 [image_store] fill_lease must be at least 5, found "3"',
      'a.conf:7 [agent] socket_mode must be three octal digits such as 0660, found "9"',
    ]);
    t.true(config.check().every(({hint}) => hint !== ''));
  });
});

test('a bad value fails where it is read, and nowhere else', t => {
  fromFile('[image_store]\nfill_lease = 3\n', (_config, path) => {
    const config = loadConfig([{file: path}], bare);
    t.is(config.get('image_store', 'fill_in_flight'), 8);
    const error = refusal(t, () => config.get('image_store', 'fill_lease'));
    t.is(error.message, `${path}:2: [image_store] fill_lease must be at least 5, found "3"`);
    t.is(error.hint, 'it takes: integer in seconds, at least 5');
  });
});

test('the environment and the command line are named as origins', t => {
  const env = {OS_IMAGE_STORE__POOL: 'e', OS_AGENT__LOG_LEVEL: 'loud'};
  const overrides = [{group: 'image_store', name: 'rbd_user', value: 'me'}] as const;
  const config = readConfig([], {...bare, env, overrides});
  const origin = (wanted: string) => config.entries().find(({name}) => name === wanted)?.origin;
  t.deepEqual(origin('pool'), {from: 'environment', variable: 'OS_IMAGE_STORE__POOL'});
  t.deepEqual(origin('rbd_user'), {from: 'command line'});
  t.deepEqual(origin('keyring'), {from: 'default'});
  t.deepEqual(origin('log_level'), {from: 'environment', variable: 'OS_AGENT__LOG_LEVEL'});
  t.is(config.check()[0]?.where, 'environment variable OS_AGENT__LOG_LEVEL');
});

test('an old name is told as such', t => {
  fromFile('[ssl]\nca_file = /ca.pem\n[service_user]\nuser-name = nova\n', (config, path) => {
    t.is(config.get('glance', 'cafile'), '/ca.pem');
    t.is(config.get('service_user', 'username'), 'nova');
    const entry = config.entries().find(({group, name}) => group === 'glance' && name === 'cafile');
    t.deepEqual(entry?.origin, {from: 'file', file: path, line: 2, as: '[ssl] ca_file'});
  });
});

test('the login can be read from another section', t => {
  const content =
    '[service_user]\nauth_section = keystone_authtoken\nusername = a\n[keystone_authtoken]\nuser_name = b\nauth_url = http://$username\n';
  fromFile(content, config => {
    const section = config.get('service_user', 'auth_section');
    t.is(config.get('service_user', 'username', section), 'b');
    t.is(config.get('service_user', 'auth_url', section), 'http://b');
    t.is(config.get('service_user', 'username'), 'a');
  });
});

test('a reference to an option of Nova that we do not know finds it where it is set', t => {
  fromFile('[DEFAULT]\nstate_path = $pybasedir/x\npybasedir = /$vnc.dir\n[vnc]\ndir = opt\n', config => {
    t.is(config.get('DEFAULT', 'instances_path'), '/opt/x/instances');
  });
});

test('--config-file and --config-dir are taken out in their order', t => {
  const argv = [
    'show',
    '--config-dir',
    '/d',
    '--json',
    '--config-file=/a=b',
    '--config-file',
    '/c',
    '--',
    '--config-file=x',
  ];
  t.deepEqual(takeSources(argv), {
    sources: [{dir: '/d'}, {file: '/a=b'}, {file: '/c'}],
    rest: ['show', '--json', '--', '--config-file=x'],
  });
  const error = t.throws(() => takeSources(['--config-file']), {instanceOf: CellarError});
  t.is(error?.kind, 'usage');
});
