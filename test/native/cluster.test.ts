import {join} from 'node:path';
import test from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import {cellCluster} from '../lab/shared.ts';
import {connectOptions, fixture, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);

const {connect} = loadBinding();

test('versions() names the libraries in use', t => {
  t.regex(loadBinding().versions().librbd, /^1\.\d+\.\d+$/);
  t.regex(loadBinding().versions().librados, /^3\.\d+\.\d+$/);
});

test('a connection knows the fsid of its cluster', t => {
  t.is(lab.cluster.fsid, lab.ceph.fsid);
});

test('a connection is the locker client.<instanceId>', async t => {
  await lab.pool.lockExclusive('who', {name: 'lock', cookie: 'a', description: '', durationMs: 10_000});
  const {lockers} = await lab.pool.listLockers('who', 'lock');
  t.is(lockers[0]?.client, `client.${lab.cluster.instanceId}`);
});

test('two connections have instance ids of their own', async t => {
  const other = await connect(connectOptions(lab.ceph));
  t.teardown(() => other.close());
  t.not(other.instanceId, lab.cluster.instanceId);
});

test('listPools() has the pools of the cluster', async t => {
  const pools = await lab.cluster.listPools();
  for (const name of ['vms', 'cellar', 'images', lab.pool.name]) t.true(pools.includes(name), name);
  t.false(pools.includes(''));
});

test('monCommand() answers bytes and a status', async t => {
  const {output, status} = await lab.cluster.monCommand('{"prefix": "fsid", "format": "json"}');
  t.true(Buffer.isBuffer(output));
  t.deepEqual(JSON.parse(output.toString()), {fsid: lab.ceph.fsid});
  t.is(status, '');
});

test('monCommand() passes its input on', async t => {
  const key = unique('key');
  await lab.cluster.monCommand(JSON.stringify({prefix: 'config-key set', key}), Buffer.from('some value'));
  const {output} = await lab.cluster.monCommand(JSON.stringify({prefix: 'config-key get', key}));
  t.is(output.toString(), 'some value');
});

test("a refused monCommand() fails with the monitor's words", async t => {
  await rbdFails(t, lab.cluster.monCommand('{"prefix": "no such thing"}'), {
    code: 'EINVAL',
    syscall: 'rados_mon_command',
    message: 'rados_mon_command: Invalid argument (command not known)',
  });
});

test('openPool() answers a pool with its name and id', async t => {
  const {poolnum} = JSON.parse(await lab.ceph.ceph('osd', 'pool', 'ls', 'detail', '-f', 'json'))
    .map((pool: {pool_name: string; pool_id: number}) => ({name: pool.pool_name, poolnum: pool.pool_id}))
    .find((pool: {name: string}) => pool.name === lab.pool.name);
  t.is(lab.pool.id, poolnum);
});

test('openPool() of an unknown pool is ENOENT', async t => {
  await rbdFails(t, lab.cluster.openPool('no-such-pool'), {
    code: 'ENOENT',
    syscall: 'rados_ioctx_create',
    pool: 'no-such-pool',
    message: 'rados_ioctx_create no-such-pool: No such file or directory',
  });
});

test('namespaces of one pool do not see each other', async t => {
  const one = await lab.cluster.openPool(lab.pool.name, 'one');
  const two = await lab.cluster.openPool(lab.pool.name, 'two');
  await one.createExclusive('object', {key: Buffer.from('1')});
  t.deepEqual(await one.listObjects(''), ['object']);
  t.is(await two.statObject('object'), undefined);
  await rbdFails(t, two.openImage('none'), {
    code: 'ENOENT',
    syscall: 'rbd_open',
    pool: lab.pool.name,
    image: 'none',
    message: `rbd_open ${lab.pool.name}/two/none: No such file or directory`,
  });
});

test('a user without a keyring cannot connect', async t => {
  const error = await rbdFails(t, connect(connectOptions(lab.ceph, {user: 'nobody-knows-me'})), {
    code: 'ENOENT',
    syscall: 'rados_connect',
    message: /^rados_connect: .+ \(client\.nobody-knows-me\)$/,
  });
  t.is(error.detail, 'client.nobody-knows-me');
});

test('a user with the wrong key cannot connect', async t => {
  const options = {key: 'AQDdWuBlAAAAABAAqD0lrMLUG6Y4bPSJEqfPmw=='};
  await rbdFails(t, connect(connectOptions(lab.ceph, {options})), {
    code: 'EACCES',
    syscall: 'rados_connect',
    message: /^rados_connect: /,
  });
});

test('a user may only do what its key allows', async t => {
  const {user, keyring} = await lab.ceph.addUser(unique('reader'), {mon: 'profile rbd', osd: 'profile rbd-read-only'});
  const cluster = await connect(connectOptions(lab.ceph, {user, options: {keyring}}));
  t.teardown(() => cluster.close());
  const pool = await cluster.openPool(lab.pool.name);
  await rbdFails(t, pool.createImage('forbidden', {size: 1}), {
    code: 'EPERM',
    syscall: 'rbd_create4',
    message: `rbd_create4 ${lab.pool.name}/forbidden: Operation not permitted`,
  });
});

test('a configuration file that is missing is ENOENT and named', async t => {
  const conf = join(import.meta.dirname, 'no-such.conf');
  await rbdFails(t, connect(connectOptions({conf})), {
    code: 'ENOENT',
    syscall: 'rados_conf_read_file',
    message: `rados_conf_read_file: No such file or directory (${conf})`,
  });
});

test('an option that Ceph does not have is ENOENT, and its value is not in the error', async t => {
  const error = await rbdFails(t, connect(connectOptions(lab.ceph, {options: {no_such_option: 's3cr3t'}})), {
    code: 'ENOENT',
    syscall: 'rados_conf_set',
    message: 'rados_conf_set: No such file or directory (no_such_option)',
  });
  t.notRegex(JSON.stringify(error), /s3cr3t/);
});

for (const name of ['clientMountTimeoutMs', 'osdOpTimeoutMs', 'monOpTimeoutMs']) {
  test(`connect() refuses ${name} of 0`, async t => {
    await rbdFails(t, connect(connectOptions(cellCluster(), {[name]: 0})), {
      code: 'EINVAL',
      syscall: 'rados_connect',
      message: `rados_connect: Invalid argument (${name} must not be 0: to Ceph that is no deadline at all)`,
    });
  });
}
