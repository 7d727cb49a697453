/** Rounds in which something goes wrong: a cell that is slow or fails, files that vanish. What was removed is told in any case. */
import {rmSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {CellarError} from '../../src/core/errors.ts';
import {isThere, place, settled} from './place.ts';

const never = new AbortController().signal;

for (const slow of ['index-list', 'index-get', 'parent-state'])
  test(`a cell that is slow at ${slow} keeps the file for now: Nova may be waiting for it too`, async t => {
    const {base, path, image, cell, events} = await place(t, {prompt: 10});
    await settled(path);
    cell.before = async step => void (step === slow && (await sleep(50)));
    t.deepEqual(await base.sweep(never), [
      {image, path, outcome: 'kept', why: 'the cell is slow to answer', soon: true},
    ]);
    t.true(isThere(path));
    t.deepEqual(events, []);
  });

test('what was removed before something went wrong is told, and the others go in the next round', async t => {
  const {base, images, pathOf, cell, events} = await place(t, {images: 4});
  const [first = '', failing = '', vanishing = '', last = ''] = images;
  for (const image of images) await settled(pathOf(image));
  cell.before = (step, object) => {
    if (step === 'index-get' && object === failing) throw new CellarError('timeout', 'the cell was silent');
    if (step === 'index-get' && object === vanishing) rmSync(pathOf(vanishing)); // an operator did it
  };
  const outcomes = await base.sweep(never);
  const of = (wanted: string) => outcomes.filter(({image}) => image === wanted);
  t.like(of(first), [{outcome: 'removed'}]);
  t.like(of(last), [{outcome: 'removed'}]);
  t.deepEqual(of(vanishing), []);
  const kept = {image: failing, path: pathOf(failing), why: 'the cell was silent', soon: true};
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
