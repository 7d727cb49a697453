import test from 'ava';
import {GlanceChecks, retireDeleted} from '../../src/core/deleted.ts';
import {cachedCell} from './cached.ts';
import {never} from './world.ts';

test('an image is asked about once in an interval, counted from the answer', t => {
  const checks = new GlanceChecks();
  checks.answered('a', 1000);
  t.deepEqual(checks.due(['a'], 500, 1499), []);
  t.deepEqual(checks.due(['a'], 500, 1500), ['a']);
  t.deepEqual(checks.due(['a'], 500, 1501), ['a'], 'it was not answered');
});

test('images that come at once are spread over an interval, and each is asked about in it', t => {
  const checks = new GlanceChecks();
  const images = Array.from({length: 1000}, (_, n) => `image${n}`);
  const asked = [];
  for (let round = 0; round < 10; round++) {
    const due = checks.due(images, 1000, round * 100);
    for (const image of due) checks.answered(image, round * 100);
    asked.push(due.length);
  }
  asked.push(checks.due(images, 1000, 999.99).length);
  t.true(Math.max(...asked) < 200, asked.join(' '));
  t.is(
    asked.reduce((sum, count) => sum + count),
    1000,
  );
});

test('an image that has left the cache and comes back is a new one', t => {
  const checks = new GlanceChecks();
  checks.answered('a', 1000);
  checks.due(['b'], 1e12, 1001);
  t.deepEqual(checks.due(['a'], 0, 1002), ['a']);
  t.deepEqual(checks.due(['a'], 0, 1002), ['a']);
});

test('an image that is gone stays due until its copy is retired', async t => {
  const {images, world} = await cachedCell(2);
  const answered: string[] = [];
  world.checks.answered = image => void answered.push(image);
  const [gone, kept] = [...images.records.keys()];
  images.records.delete(gone ?? '');
  images.listable = async () => false;
  await t.throwsAsync(retireDeleted(world, never), {message: /does not list any images/});
  images.listable = async () => true;
  t.is(await retireDeleted(world, never), 1);
  t.deepEqual(new Set(answered), new Set([kept]));
});

test('Glance hears of an image once in deleted_check_interval, however many rounds there are', async t => {
  const {images, world} = await cachedCell(3);
  const asked: string[] = [];
  const get = images.get.bind(images);
  images.get = async (id, requester) => {
    asked.push(id);
    return get(id, requester);
  };
  await retireDeleted(world, never);
  t.is(asked.length, 3);
  world.limits.deletedCheckInterval = 3_600_000;
  for (let round = 0; round < 5; round++) await retireDeleted(world, never);
  t.is(asked.length, 3);
});
