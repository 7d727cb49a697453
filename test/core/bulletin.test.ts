import test from 'ava';
import {formatBulletin, parseBulletin} from '../../src/core/bulletin.ts';

const image = '11111111-2222-3333-4444-555555555555';
const bulletin = {image, generation: 'aaaaaaaaaaaaaaaa', received: 5, size: 10};

test('what is told is read again', t => {
  t.deepEqual(parseBulletin(formatBulletin(bulletin), image), {schema: 1, ...bulletin});
});

test('anything else is no bulletin: it was told by somebody', t => {
  const changed = (changes: object) => JSON.stringify({schema: 1, ...bulletin, ...changes});
  t.not(parseBulletin(changed({}), image), undefined);
  const strange = [
    '',
    'x',
    'null',
    '1',
    '[]',
    '{}',
    changed({}).slice(0, -1),
    changed({schema: 2}),
    changed({image: '99999999-2222-3333-4444-555555555555'}),
    changed({generation: 1}),
    changed({received: -1}),
    changed({received: 1.5}),
    changed({received: '5'}),
    changed({received: null}),
    changed({received: 11}),
    changed({size: 2 ** 60, received: 2 ** 59}),
    changed({size: undefined}),
  ];
  for (const text of strange) t.is(parseBulletin(text, image), undefined, text);
});

test('what else is in it is left out', t => {
  const text = JSON.stringify({schema: 1, ...bulletin, __proto__: {x: 1}, more: 'x'});
  t.deepEqual(parseBulletin(text, image), {schema: 1, ...bulletin});
});
