import {existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {Journal} from '../../src/nova/journal.ts';
import type {MoveNote} from '../../src/nova/move-facts.ts';

const note: MoveNote = {
  schema: 1,
  host: 'compute-1',
  since: '2026-11-22T00:00:00.000Z',
  services: ['s1'],
  nodes: [{name: 'n', uuid: 'u'}],
  aggregates: [{id: 1, name: 'ssd'}],
};

function setUp(t: {teardown(fn: () => void): void}) {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-journal-'));
  t.teardown(() => rmSync(dir, {recursive: true, force: true}));
  return {dir, journal: new Journal(join(dir, 'moves'))};
}

test('what is written is read, and nothing else lies there', t => {
  const {dir, journal} = setUp(t);
  t.is(journal.read('compute-1'), undefined);
  journal.write(note);
  journal.write({...note, services: ['s2']});
  t.deepEqual(journal.read('compute-1'), {...note, services: ['s2']});
  t.is(journal.read('compute-2'), undefined);
  t.deepEqual(readdirSync(join(dir, 'moves')), ['compute-1.json']);
  journal.remove('compute-1');
  journal.remove('compute-1');
  t.is(journal.read('compute-1'), undefined);
});

test('the name of a host leads nowhere else', t => {
  const {dir, journal} = setUp(t);
  journal.write({...note, host: '../outside'});
  t.false(existsSync(join(dir, 'outside.json')));
  t.is(journal.read('../outside')?.host, '../outside');
});

test('a file that is no note, or that of another host, is a conflict', t => {
  const {journal} = setUp(t);
  journal.write(note);
  for (const text of [
    '',
    '{',
    '{}',
    JSON.stringify({...note, host: 'compute-2'}),
    JSON.stringify({...note, schema: 2}),
  ]) {
    writeFileSync(journal.path('compute-1'), text);
    t.throws(() => journal.read('compute-1'), {message: /is not the note of a move of compute-1/});
  }
});

test('a directory that cannot be is named', t => {
  const {dir} = setUp(t);
  writeFileSync(join(dir, 'file'), '');
  const journal = new Journal(join(dir, 'file', 'moves'));
  t.throws(() => journal.write(note), {message: /cannot write .*compute-1\.json/});
});
