import test from 'ava';
import {rbdUrl} from '../../src/convert/rbd-url.ts';

const base = {pool: 'cellar', image: 'x.0', user: 'cellar', conf: '/etc/ceph/ceph.conf'};

test('it names pool, image, user and configuration', t => {
  t.is(rbdUrl(base), 'rbd:cellar/x.0:id=cellar:conf=\\/etc\\/ceph\\/ceph.conf:log_to_file=false');
});

test('what is empty is not said, and timeouts are', t => {
  t.is(rbdUrl({...base, conf: '', keyring: ''}), 'rbd:cellar/x.0:id=cellar:log_to_file=false');
  t.is(
    rbdUrl({...base, conf: '', keyring: '/k', connectTimeout: 5, osdOpTimeout: 30, monOpTimeout: 10}),
    'rbd:cellar/x.0:id=cellar:keyring=\\/k:client_mount_timeout=5:rados_osd_op_timeout=30:rados_mon_op_timeout=10:log_to_file=false',
  );
});

test('no name can end where another begins', t => {
  t.is(
    rbdUrl({pool: 'a:b', image: 'c@d/e=f\\g', user: 'u:conf=x', conf: ''}),
    'rbd:a\\:b/c\\@d\\/e\\=f\\\\g:id=u\\:conf\\=x:log_to_file=false',
  );
});
