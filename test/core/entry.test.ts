import test from 'ava';
import {formatEntry, parseEntry} from '../../src/core/entry.ts';
import {CellarError} from '../../src/core/errors.ts';
import {entry} from './facts.ts';

test('what was written is read back', t => {
  t.deepEqual(parseEntry(formatEntry(entry())), entry());
});

test('the schema comes first, so that whoever looks at the object sees it', t => {
  t.true(formatEntry(entry()).startsWith('{"schema":1,'));
});

test('one that an older agent wrote says nothing of what is stored and who could read it: it is as large as it looks, and not ours to miss', t => {
  const {stored: _, ownReadable: __, ...older} = entry();
  t.deepEqual(parseEntry(JSON.stringify(older)), {...older, stored: older.size, ownReadable: false});
});

const damaged: [string, string, RegExp][] = [
  ['is cut off', formatEntry(entry()).slice(0, -1), /it is not JSON/],
  ['is empty', '', /it is not JSON/],
  ['is a list', '[]', /it is not an object/],
  ['is null', 'null', /it is not an object/],
  ['is newer', JSON.stringify({...entry(), schema: 2}), /its schema is 2, this agent knows 1/],
  ['has no schema', '{}', /its schema is undefined/],
  ['has its schema as a text', JSON.stringify({...entry(), schema: '1'}), /its schema is "1"/],
  ['has no generation', JSON.stringify({...entry(), generation: undefined}), /its generation is no text/],
  ['names no image', JSON.stringify({...entry(), rbdImage: 7}), /its rbdImage is no text/],
  ['has no raw digest', JSON.stringify({...entry(), rawDigest: null}), /its rawDigest is no text/],
  ['has a negative size', JSON.stringify({...entry(), size: -1}), /its size is no number of bytes/],
  ['has a broken size', JSON.stringify({...entry(), size: 1.5}), /its size is no number of bytes/],
  ['has its size as a text', JSON.stringify({...entry(), size: '1'}), /its size is no number of bytes/],
  ['has a broken stored', JSON.stringify({...entry(), stored: -1}), /its stored is no number of bytes/],
  ['has its ownReadable as a text', JSON.stringify({...entry(), ownReadable: 'yes'}), /its ownReadable is neither/],
  ['has no source', JSON.stringify({...entry(), source: undefined}), /its source is incomplete/],
  ['has no digests', JSON.stringify({...entry(), source: {diskFormat: 'raw', size: 1}}), /its source is incomplete/],
];
for (const [what, text, why] of damaged) {
  test(`an entry that ${what} is refused, not guessed at`, t => {
    const error = t.throws(() => parseEntry(text), {instanceOf: CellarError, message: why});
    t.is(error.kind, 'internal');
    t.regex(error.hint ?? '', /rados rmomapkey/);
  });
}

test('what a newer agent of the same schema added is kept aside, not refused', t => {
  t.notThrows(() => parseEntry(JSON.stringify({...entry(), added: true})));
});
