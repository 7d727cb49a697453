import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {startCeph} from './ceph.ts';
import {isAlive, recordedDaemons} from './daemon.ts';
import {reservePorts} from './ports.ts';
import {run} from './run.ts';
import {privateCeph} from './shared.ts';

const place = async (t: {teardown(fn: () => unknown): void}) => {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-ceph-test-'));
  const ports = await reservePorts({preferred: 26_000});
  t.teardown(async () => {
    await ports.release();
    rmSync(dir, {recursive: true, force: true});
  });
  return {name: 'test', base: join(dir, 'ceph'), port: ports.first, tied: true};
};

test.serial('a cluster starts and stops twice in the same place, and leaves nothing', async t => {
  const options = await place(t);
  const fsids = [];
  for (const pools of [['one'], ['two']]) {
    const ceph = await startCeph({...options, pools});
    const daemons = recordedDaemons(options.base);
    t.deepEqual(daemons.map(daemon => daemon.name).sort(), ['mon.a', 'osd.0']);
    t.is((await ceph.ceph('fsid')).trim(), ceph.fsid);
    t.is((await ceph.ceph('osd', 'pool', 'ls')).trim(), pools.join());
    fsids.push(ceph.fsid);
    await ceph.stop();
    await ceph.stop();
    t.deepEqual(daemons.filter(isAlive), []);
    t.false(existsSync(options.base));
  }
  t.not(fsids[0], fsids[1]);
});

test.serial('a start that fails half-way says what the daemon said, and leaves nothing', async t => {
  const options = await place(t);
  const squatter = createServer();
  await new Promise<void>(resolve => squatter.listen(options.port, '127.0.0.1', resolve));
  t.teardown(() => squatter.close());
  const {message} = (await t.throwsAsync(startCeph(options))) as Error;
  t.regex(message, /did not start/);
  t.regex(message, /Address already in use/);
  t.false(existsSync(options.base));
});

test.serial('users have the rights that they were made with, and no others', async t => {
  const readOnly = {mon: 'profile rbd', osd: 'profile rbd-read-only pool=cellar'};
  await using ceph = await privateCeph({objectstore: 'memstore', pools: ['cellar'], users: {reader: readOnly}});
  const as = (user: string, ...args: string[]) => run('rbd', ['-c', ceph.conf, '--id', user, ...args]);
  await t.throwsAsync(as('reader', 'create', '--size', '1', 'cellar/image'), {message: /Operation not permitted/});

  const {user} = await ceph.addUser('writer', {mon: 'profile rbd', osd: 'profile rbd pool=cellar'});
  await as(user, 'create', '--size', '1', 'cellar/image');
  t.is((await as('reader', 'ls', 'cellar')).trim(), 'image');

  await ceph.addUser('writer', readOnly);
  await t.throwsAsync(as(user, 'rm', 'cellar/image'), {message: /failed/});
});

test.serial('an OSD that was killed comes back with its data', async t => {
  await using ceph = await privateCeph({pools: ['cellar']});
  await ceph.rbd('create', '--size', '4', 'cellar/image');
  const [before] = ceph.pids.osd;
  await ceph.kill('osd.0');
  await ceph.restart('osd.0');
  t.not(ceph.pids.osd[0], before);
  t.is((await ceph.rbd('ls', 'cellar')).trim(), 'image');
});

test.serial('fresh pools have different names and serve RBD at once', async t => {
  await using ceph = await privateCeph({objectstore: 'memstore'});
  const pools = await Promise.all([ceph.createPool('cache'), ceph.createPool('cache')]);
  t.is(new Set(pools).size, 2);
  for (const pool of pools) await ceph.rbd('create', '--size', '1', `${pool}/image`);
  await ceph.removePool(pools[0]);
  t.is((await ceph.ceph('osd', 'pool', 'ls')).trim(), pools[1]);
});
