import test from 'ava';
import {fixture, rbdFails, unique} from './helpers.ts';

const lab = fixture(test);

const one = Buffer.from('1');
const two = Buffer.from('2');

test('omapGet() and omapList() of an object that is missing are empty', async t => {
  t.deepEqual(await lab.pool.omapGet('missing', ['key']), new Map());
  t.deepEqual(await lab.pool.omapList('missing'), {entries: new Map(), more: false});
});

test('omapCompareAndSet() takes a missing object and a missing key for absent', async t => {
  const object = unique('object');
  t.true(await lab.pool.omapCompareAndSet(object, {expect: {a: undefined}, set: {a: one}}));
  t.true(await lab.pool.omapCompareAndSet(object, {expect: {b: undefined}, set: {b: two}}));
  t.deepEqual(
    await lab.pool.omapGet(object, ['a', 'b', 'c']),
    new Map([
      ['a', one],
      ['b', two],
    ]),
  );
});

test('omapCompareAndSet() takes an object without an omap for one without keys', async t => {
  const object = unique('object');
  await lab.pool.createExclusive(object);
  t.true(await lab.pool.omapCompareAndSet(object, {expect: {a: undefined}, set: {a: one}}));
});

test('omapCompareAndSet() changes nothing when a key is there that should be absent', async t => {
  const object = unique('object');
  await lab.pool.omapCompareAndSet(object, {set: {a: one}});
  t.false(await lab.pool.omapCompareAndSet(object, {expect: {a: undefined}, set: {a: two, b: two}}));
  t.deepEqual((await lab.pool.omapList(object)).entries, new Map([['a', one]]));
});

test('omapCompareAndSet() changes nothing when a value differs, or its key is missing', async t => {
  const object = unique('object');
  await lab.pool.omapCompareAndSet(object, {set: {a: one}});
  t.false(await lab.pool.omapCompareAndSet(object, {expect: {a: two}, set: {a: two}}));
  t.false(await lab.pool.omapCompareAndSet(object, {expect: {a: one, b: two}, remove: ['a']}));
  t.deepEqual((await lab.pool.omapList(object)).entries, new Map([['a', one]]));
});

test('omapCompareAndSet() that fails does not leave an object behind', async t => {
  const object = unique('object');
  t.false(await lab.pool.omapCompareAndSet(object, {expect: {a: one}, set: {a: two}}));
  t.is(await lab.pool.statObject(object), undefined);
});

test('omapCompareAndSet() sets and removes in one step', async t => {
  const object = unique('object');
  await lab.pool.omapCompareAndSet(object, {set: {a: one, b: one}});
  t.true(await lab.pool.omapCompareAndSet(object, {expect: {a: one}, set: {c: two}, remove: ['a', 'never there']}));
  t.deepEqual(
    (await lab.pool.omapList(object)).entries,
    new Map([
      ['b', one],
      ['c', two],
    ]),
  );
});

test('of many that compare and set at a time one wins', async t => {
  const object = unique('object');
  const won = await Promise.all(
    Array.from({length: 20}, (_, index) =>
      lab.pool.omapCompareAndSet(object, {expect: {a: undefined}, set: {a: Buffer.from(`${index}`)}}),
    ),
  );
  t.is(won.filter(Boolean).length, 1);
  t.is((await lab.pool.omapGet(object, ['a'])).get('a')?.toString(), `${won.indexOf(true)}`);
});

for (const part of ['expect', 'set'] as const) {
  test(`omapCompareAndSet() refuses an empty value in ${part}`, async t => {
    const object = unique('object');
    await rbdFails(t, lab.pool.omapCompareAndSet(object, {[part]: {key: Buffer.alloc(0)}}), {
      code: 'EINVAL',
      syscall: 'rados_write_op_operate2',
      object,
      message: `rados_write_op_operate2 ${lab.pool.name}/${object}: Invalid argument (${part} of 'key' is empty: that compares like absent)`,
    });
  });
}

test('omap keys and values may hold any bytes', async t => {
  const object = unique('object');
  const value = Buffer.from([0, 255, 10, 0]);
  await lab.pool.omapCompareAndSet(object, {set: {'ключ\0/=\n': value}});
  t.deepEqual(await lab.pool.omapGet(object, ['ключ\0/=\n']), new Map([['ключ\0/=\n', value]]));
});

test('omapList() goes page by page, in order, after a key and with a prefix', async t => {
  const object = unique('object');
  const keys = Array.from({length: 25}, (_, index) => `key-${String(index).padStart(2, '0')}`);
  await lab.pool.omapCompareAndSet(object, {set: {...Object.fromEntries(keys.map(key => [key, one])), other: two}});
  const first = await lab.pool.omapList(object, {prefix: 'key-', max: 10});
  t.deepEqual({keys: [...first.entries.keys()], more: first.more}, {keys: keys.slice(0, 10), more: true});
  const last = await lab.pool.omapList(object, {prefix: 'key-', after: 'key-14', max: 10});
  t.deepEqual({keys: [...last.entries.keys()], more: last.more}, {keys: keys.slice(15), more: false});
  t.is((await lab.pool.omapList(object)).entries.size, 26);
});

test('createExclusive() makes the object with its omap, once', async t => {
  const object = unique('object');
  t.true(await lab.pool.createExclusive(object, {a: one}));
  t.false(await lab.pool.createExclusive(object, {a: two}));
  t.deepEqual((await lab.pool.omapList(object)).entries, new Map([['a', one]]));
});

test('statObject() has size and time, and nothing for an object that is missing', async t => {
  const object = unique('object');
  t.is(await lab.pool.statObject(object), undefined);
  await lab.pool.createExclusive(object);
  const stat = await lab.pool.statObject(object);
  t.is(stat?.size, 0);
  t.true(Math.abs((stat?.mtimeMs ?? 0) - Date.now()) < 10_000);
});

test('removeObject() tells whether there was one', async t => {
  const object = unique('object');
  await lab.pool.createExclusive(object);
  t.true(await lab.pool.removeObject(object));
  t.false(await lab.pool.removeObject(object));
});

test('listObjects() has those with the prefix', async t => {
  const prefix = unique('many');
  const names = Array.from({length: 30}, (_, index) => `${prefix}.${index}`);
  await Promise.all([...names, unique('other')].map(name => lab.pool.createExclusive(name)));
  t.deepEqual((await lab.pool.listObjects(`${prefix}.`)).toSorted(), names.toSorted());
  t.deepEqual(await lab.pool.listObjects('nobody has this'), []);
});

test('exec() calls a class on the OSD and answers its bytes, however many', async t => {
  const name = unique();
  await lab.pool.createImage(name, {size: 0});
  const input = Buffer.alloc(12); // dir_list: start after "" (u32 length), at most this many (u64)
  input.writeBigUInt64LE(10n, 4);
  const answer = await lab.pool.exec('rbd_directory', 'rbd', 'dir_list', input);
  t.true(answer.includes(name));
});

test('exec() of a method that is missing is EOPNOTSUPP', async t => {
  const error = await t.throwsAsync(lab.pool.exec('rbd_directory', 'rbd', 'no_such_method', Buffer.alloc(0)));
  t.like(error, {name: 'RbdError', code: 'EOPNOTSUPP', syscall: 'rados_exec', object: 'rbd_directory'});
});
