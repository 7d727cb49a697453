import test from 'ava';
import {convert} from '../../src/convert/convert.ts';
import {convertLimits as limits} from '../../src/convert/limits.ts';
import {CellarError} from '../../src/core/errors.ts';
import {Images} from '../core/format/images.ts';
import {privateCeph} from '../lab/shared.ts';
import {expected, never as signal} from './setup.ts';

test('a cluster that stops answering is a timeout, not a hang; when it answers again the same is done', async t => {
  await using ceph = await privateCeph({objectstore: 'memstore'});
  const images = new Images();
  const source = images.write('source', images.convert('qcow2'));
  const {qemu} = expected('qcow2', images.convert('qcow2'));
  const pool = await ceph.createPool('stalled');
  await ceph.rbd('create', '--pool', pool, '--image', 'disk', '--size', '4M');
  const timeouts = {connectTimeout: 3, osdOpTimeout: 3, monOpTimeout: 3};
  const target = {pool, image: 'disk', user: 'admin', conf: ceph.conf, ...timeouts};

  await ceph.ceph('osd', 'set', 'pause');
  const started = performance.now();
  const error = await t.throwsAsync(convert({source, qemu, target, limits, signal}), {instanceOf: CellarError});
  t.is(error?.kind, 'timeout');
  t.regex(error?.message ?? '', /^the conversion into stalled-\w+\/disk failed: qemu-img: .*Connection timed out$/);
  t.true(performance.now() - started < 30_000);

  await ceph.ceph('osd', 'unset', 'pause');
  await t.notThrowsAsync(convert({source, qemu, target, limits, signal}));
});
