import test from 'ava';
import {loadBinding} from '../../src/rbd/binding.ts';
import type {NativeCluster, NativePool} from '../../src/rbd/native.ts';
import {connectOptions, eventually, fixture, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);
const rival = {} as {cluster: NativeCluster; pool: NativePool};
test.serial.before(async () => {
  rival.cluster = await loadBinding().connect(connectOptions(lab.ceph));
  rival.pool = await rival.cluster.openPool(lab.pool.name);
});
test.after.always(() => rival.cluster?.close());

const lease = {name: 'lease', cookie: 'a', description: 'who holds it', durationMs: 30_000};

test('a lock is held by one, and the other learns who', async t => {
  const object = unique('object');
  t.true(await lab.pool.lockExclusive(object, lease));
  t.false(await rival.pool.lockExclusive(object, lease));
  const {lockers, exclusive} = await rival.pool.listLockers(object, 'lease');
  t.true(exclusive);
  t.is(lockers.length, 1);
  t.like(lockers[0], {client: `client.${lab.cluster.instanceId}`, cookie: 'a'});
  t.regex(lockers[0]?.address ?? '', /127\.0\.0\.1:0\/\d+/);
});

test('a lock that is ours already is EEXIST without renew', async t => {
  const object = unique('object');
  await lab.pool.lockExclusive(object, lease);
  await rbdFails(t, lab.pool.lockExclusive(object, lease), {
    code: 'EEXIST',
    syscall: 'rados_lock_exclusive',
    object,
    message: `rados_lock_exclusive ${lab.pool.name}/${object}: File exists`,
  });
});

test("renew 'may' takes a free lock and renews our own, but not another's", async t => {
  const object = unique('object');
  t.true(await lab.pool.lockExclusive(object, {...lease, renew: 'may'}));
  t.true(await lab.pool.lockExclusive(object, {...lease, renew: 'may'}));
  t.false(await rival.pool.lockExclusive(object, {...lease, renew: 'may'}));
});

test("renew 'must' renews our own only", async t => {
  const object = unique('object');
  t.false(await lab.pool.lockExclusive(object, {...lease, renew: 'must'}));
  t.true(await lab.pool.lockExclusive(object, lease));
  t.true(await lab.pool.lockExclusive(object, {...lease, renew: 'must'}));
});

test("renew 'must' of a lock that another has taken is not ours", async t => {
  const object = unique('object');
  await rival.pool.lockExclusive(object, lease);
  const answer = await lab.pool.lockExclusive(object, {...lease, renew: 'must'}).catch(error => error.code);
  t.is(answer, false);
});

test('an unlocked lock is free', async t => {
  const object = unique('object');
  await lab.pool.lockExclusive(object, lease);
  t.true(await lab.pool.unlock(object, 'lease', 'a'));
  t.false(await lab.pool.unlock(object, 'lease', 'a'));
  t.true(await rival.pool.lockExclusive(object, lease));
});

test('a lease that is not renewed expires', async t => {
  const object = unique('object');
  await lab.pool.lockExclusive(object, {...lease, durationMs: 300});
  t.false(await rival.pool.lockExclusive(object, lease));
  t.true(await eventually(() => rival.pool.lockExclusive(object, lease)));
  t.false(await lab.pool.unlock(object, 'lease', 'a'));
});

test('a broken lock is free, and its holder can renew it no more', async t => {
  const object = unique('object');
  await lab.pool.lockExclusive(object, lease);
  t.true(await rival.pool.breakLock(object, 'lease', `client.${lab.cluster.instanceId}`, 'a'));
  t.false(await rival.pool.breakLock(object, 'lease', `client.${lab.cluster.instanceId}`, 'a'));
  t.false(await lab.pool.lockExclusive(object, {...lease, renew: 'must'}));
});

test('nobody holds the lock of an object that is missing', async t => {
  t.deepEqual(await lab.pool.listLockers('missing', 'lease'), {lockers: [], exclusive: false, tag: ''});
  t.false(await lab.pool.unlock('missing', 'lease', 'a'));
});

test('a long cookie comes back whole', async t => {
  const object = unique('object');
  const cookie = 'c'.repeat(5000);
  await lab.pool.lockExclusive(object, {...lease, cookie});
  t.is((await lab.pool.listLockers(object, 'lease')).lockers[0]?.cookie, cookie);
});

test('a lock without a duration is refused: it would never expire', async t => {
  const object = unique('object');
  await rbdFails(t, lab.pool.lockExclusive(object, {...lease, durationMs: 0}), {
    code: 'EINVAL',
    syscall: 'rados_lock_exclusive',
    message: `rados_lock_exclusive ${lab.pool.name}/${object}: Invalid argument (durationMs must not be 0: that lock would never expire)`,
  });
});

test('removeLocked() removes the object of a lock that is ours, and of no other', async t => {
  const object = unique('object');
  await lab.pool.lockExclusive(object, lease);
  t.false(await rival.pool.removeLocked(object, 'lease', 'a'));
  t.false(await lab.pool.removeLocked(object, 'lease', 'another cookie'));
  t.not(await lab.pool.statObject(object), undefined);
  t.true(await lab.pool.removeLocked(object, 'lease', 'a'));
  t.is(await lab.pool.statObject(object), undefined);
  t.false(await lab.pool.removeLocked(object, 'lease', 'a'));
});
