/** On which hosts base files are removed: only where a Nova without them clones. */
import {join} from 'node:path';
import test from 'ava';
import {readConfig} from '../../src/config/load.ts';
import {readSettings} from '../../src/daemon/settings.ts';
import {withFiles} from '../config/with-files.ts';

const usual = {
  'DEFAULT.instances_path': '/var/lib/nova/instances',
  'libvirt.images_type': 'rbd',
  'libvirt.images_rbd_pool': 'vms',
  'glance.endpoint_override': 'http://127.0.0.1:9292',
  'facade.listen': '127.0.0.1:9292',
  'facade.upstream': 'http://controller:9292',
};

const baseFiles = (changes: Record<string, string>) => {
  const sections = new Map<string, string[]>();
  for (const [option, value] of Object.entries({...usual, ...changes})) {
    const [section = '', name] = option.split('.');
    sections.set(section, [...(sections.get(section) ?? []), `${name} = ${value}`]);
  }
  const text = [...sections].map(([section, lines]) => `[${section}]\n${lines.join('\n')}\n`).join('');
  let found: unknown;
  withFiles({'nova.conf': text}, dir => {
    found = readSettings(
      readConfig([{file: join(dir, 'nova.conf')}], {env: {}, home: '/nowhere', root: '/nowhere'}),
    ).baseFiles;
  });
  return found;
};

const here = {instancesPath: '/var/lib/nova/instances', subdirectory: '_base', settle: 10_000};

test('a host whose Nova uses the facade, and keeps its disks in RBD', t => {
  t.deepEqual(baseFiles({}), here);
  t.deepEqual(baseFiles({'glance.api_servers': 'http://127.0.0.1:9292'}), here);
  t.deepEqual(baseFiles({'image_cache.subdirectory_name': '_base_10.0.0.1'}), {
    ...here,
    subdirectory: '_base_10.0.0.1',
  });
  t.deepEqual(baseFiles({'DEFAULT.image_cache_subdirectory_name': 'old'}), {...here, subdirectory: 'old'});
  t.deepEqual(baseFiles({'DEFAULT.instances_path': '$state_path/i', 'DEFAULT.state_path': '/srv'}), {
    ...here,
    instancesPath: '/srv/i',
  });
});

test('Nova is kept from a file for as long as it may take to connect to Ceph, twice, and not for ever', t => {
  for (const [timeout, settle] of Object.entries({'1': 5000, '0': 30_000, '-1': 30_000, '10': 20_000, '600': 30_000}))
    t.deepEqual(baseFiles({'libvirt.rbd_connect_timeout': timeout}), {...here, settle});
});

test('every other host keeps its base files', t => {
  for (const type of ['default', 'qcow2', 'raw', 'flat', 'lvm', 'ploop'])
    t.is(baseFiles({'libvirt.images_type': type}), undefined);
  const others = {
    'facade.remove_base_files': 'false',
    'glance.endpoint_override': 'http://controller:9292', // Nova asks Glance itself: each spawn would download again
    'glance.api_servers': 'http://127.0.0.1:9292,http://controller:9292',
    'facade.listen': '',
  };
  for (const [option, value] of Object.entries(others)) t.is(baseFiles({[option]: value}), undefined, option);
});
