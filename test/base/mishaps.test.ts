/** Rounds in which something goes wrong: a cell that is slow or fails, files that vanish. What was removed is told in any case. */
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {baseName} from '../../src/base/file.ts';
import {NovaLock} from '../../src/base/lock.ts';
import {CellarError} from '../../src/core/errors.ts';
import {loadBinding} from '../../src/rbd/binding.ts';
import {isThere, place, settled} from './place.ts';

const never = new AbortController().signal;
const {tryLockFile} = loadBinding();

for (const slow of ['index-list', 'index-get', 'parent-state'])
  test(`a cell that is slow at ${slow} keeps the files for now: Nova may be waiting for it too`, async t => {
    const {base, images, pathOf, cell, events, instancesPath} = await place(t, {images: 2, prompt: 2000});
    for (const image of images) await settled(pathOf(image));
    const asked: string[] = [];
    cell.before = async step => {
      asked.push(step);
      if (step === slow) await sleep(2100);
    };
    const why = 'the cell is slow to answer';
    const kept = images.map(image => ({image, path: pathOf(image), why}));
    const inOrder = <T extends {path: string}>(some: T[]) => some.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const outcomes = inOrder(await base.sweep(never));
    t.deepEqual(outcomes, inOrder(kept.map(one => ({...one, outcome: 'kept' as const, soon: false}))));
    for (const image of images) t.true(isThere(pathOf(image)));
    t.is(asked.filter(step => step === slow).length, 1, 'nothing more is asked');
    t.is(
      isThere(join(instancesPath, 'locks')),
      slow !== 'index-list',
      'Nova is kept from nothing where it is of no use',
    );

    await base.sweep(never);
    const told = events.flatMap(event => (event.type === 'base-file-kept' ? [event] : []));
    t.deepEqual(inOrder(told), inOrder(kept.map(one => ({...one, type: 'base-file-kept' as const}))), 'once');
  });

for (const kind of ['timeout', 'unavailable', 'cancelled'] as const)
  test(`after an answer that is ${kind} the cell is asked no more, and Nova has what was decided before`, async t => {
    const {base, images, pathOf, cell, instancesPath} = await place(t, {images: 3});
    for (const image of images) await settled(pathOf(image));
    const asked: string[] = [];
    const free: boolean[] = [];
    cell.before = async (step, object) => {
      if (step !== 'index-get') return;
      asked.push(object);
      for (const image of images) {
        await using lock = await NovaLock.take(instancesPath, baseName(image), tryLockFile);
        free.push(lock !== undefined);
      }
      if (asked.length === 2) throw new CellarError(kind, 'the cell was silent');
    };
    const outcomes = await base.sweep(never);
    const [first = '', second = ''] = asked;
    t.is(asked.length, 2);
    t.is(free.filter(Boolean).length, 1);
    t.true(free[3 + images.indexOf(first)], 'that of the first file, while the second is asked for');
    t.like(outcomes[0], {image: first, outcome: 'removed'});
    t.is(outcomes[1]?.image, second);
    t.is(outcomes.length, 3);
    for (const {image, ...rest} of outcomes.slice(1))
      t.deepEqual(rest, {path: pathOf(image), outcome: 'kept', why: 'the cell was silent', soon: true});
  });

test('what was removed before something went wrong is told, and the others go in the next round', async t => {
  const {base, images, pathOf, cell, events} = await place(t, {images: 4});
  const [first = '', failing = '', vanishing = '', last = ''] = images;
  for (const image of images) await settled(pathOf(image));
  cell.before = (step, object) => {
    if (step === 'index-get' && object === failing) throw new CellarError('forbidden', 'the cell said no');
    if (step === 'index-get' && object === vanishing) rmSync(pathOf(vanishing)); // an operator did it
  };
  const outcomes = await base.sweep(never);
  const of = (wanted: string) => outcomes.filter(({image}) => image === wanted);
  t.like(of(first), [{outcome: 'removed'}]);
  t.like(of(last), [{outcome: 'removed'}]);
  t.deepEqual(of(vanishing), []);
  const kept = {image: failing, path: pathOf(failing), why: 'the cell said no', soon: true};
  t.deepEqual(of(failing), [{...kept, outcome: 'kept'}]);
  const removed = () => events.flatMap(event => (event.type === 'base-file-removed' ? [event.image] : []));
  t.deepEqual(removed().sort(), [first, last].sort());
  t.is(events.length, 2);

  cell.before = () => {};
  await base.sweep(never);
  t.deepEqual(removed().at(-1), failing);
});

test('a round in which everything went wrong is told as such', async t => {
  const {base, images, pathOf, cell, events} = await place(t, {images: 2});
  for (const image of images) await settled(pathOf(image));
  cell.before = step => {
    if (step === 'parent-state') throw new CellarError('timeout', 'the cell was silent');
  };
  t.deepEqual(await base.sweep(never), []);
  t.like(events, [{type: 'base-files-failed', error: {message: 'the cell was silent'}}]);
  for (const image of images) t.true(isThere(pathOf(image)));
});
