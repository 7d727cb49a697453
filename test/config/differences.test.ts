import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {Both, type Case} from './both.ts';
import {type Encoded, Oslo} from './oslo.ts';
import type {TestOption} from './specs.ts';

// Options that oslo.config takes on its command line as --text and --alpha-text.
const table: TestOption[] = [
  {group: 'DEFAULT', name: 'text', type: {kind: 'string'}, default: 'd', cli: true},
  {group: 'DEFAULT', name: 'same', type: {kind: 'string'}, default: '$text'},
  {group: 'alpha', name: 'text', type: {kind: 'string'}, cli: true},
  {group: 'alpha', name: 'many', type: {kind: 'multi', item: {kind: 'string'}}},
  {group: 'alpha', name: 'size', type: {kind: 'integer'}},
];
const both = new Both(table);

test.after.always(() => both.stop());

const value = (text: string) => [{group: 'DEFAULT', name: 'text', value: text}];

test.serial('a value on the command line beats files, environment and default', async t => {
  const file = {
    files: {'a.conf': '[DEFAULT]\ntext = f\n'},
    argv: ['--config-file=@/a.conf', '--text=c'],
    overrides: value('c'),
  };
  const cases: Case[] = [
    file,
    {files: {}, argv: ['--text=c'], overrides: value('c'), env: {OS_DEFAULT__TEXT: 'e'}},
    {files: {}, argv: ['--text=$alpha.text!'], overrides: value('$alpha.text!'), env: {OS_ALPHA__TEXT: 'e'}},
    {files: {}, argv: ['--alpha-text=c'], overrides: [{group: 'alpha', name: 'text', value: 'c'}]},
    {files: {}, argv: ['--text='], overrides: value('')},
  ];
  for (const given of cases) {
    const {theirs, ours} = await both.answers(given);
    t.deepEqual(ours, theirs, JSON.stringify(given));
  }
});

// What docs/configuration.md says under "Where cellar differs from oslo.config". Here both sides are written down, so that a
// change on either shows.
test.serial('on the command line we go by rank where oslo.config goes by position', async t => {
  const files = {'a.conf': '[DEFAULT]\ntext = f\n'};
  const argv = ['--text=c', '--config-file=@/a.conf'];
  await differ(t, {files, argv, overrides: value('c')}, '[DEFAULT] text', {theirs: 'f', ours: 'c'});
  const env = {OS_DEFAULT__TEXT: 'e'};
  const both = {files, argv: argv.toReversed(), overrides: value('c'), env};
  await differ(t, both, '[DEFAULT] text', {theirs: 'e', ours: 'c'});
});

test.serial('a variable of a multi option is one value', async t => {
  const given = {files: {}, argv: [], env: {OS_ALPHA__MANY: 'abc'}};
  await differ(t, given, '[alpha] many', {theirs: ['a', 'b', 'c'], ours: ['abc']});
});

test.serial('an integer that a number cannot hold is refused', async t => {
  const given = {files: {'a.conf': '[alpha]\nsize = 9007199254740993\n'}, argv: ['--config-file=@/a.conf']};
  await differ(t, given, '[alpha] size', {theirs: {int: '9007199254740993'}, ours: {error: 'value'}});
});

test.serial('a directory is no pattern', async t => {
  const given = {
    files: {'d[1]/a.conf': '[DEFAULT]\ntext = f\n', 'd1/a.conf': '[DEFAULT]\ntext = g\n'},
    argv: ['--config-dir=@/d[1]'],
  };
  await differ(t, given, '[DEFAULT] text', {theirs: 'g', ours: 'f'});
});

test.serial('a directory that may not be read is an error', async t => {
  const given = {files: {'locked/a.conf': ''}, argv: ['--config-dir=@/locked'], locked: 'locked', unprivileged: true};
  const {theirs, ours} = await both.answers(given);
  t.true('values' in theirs);
  t.deepEqual(ours, {load: 'denied'});
});

async function differ(t: ExecutionContext, given: Case, key: string, expected: {theirs: Encoded; ours: Encoded}) {
  const {theirs, ours} = await both.answers(given);
  const values = [theirs, ours].map(answer => ('values' in answer ? answer.values[key] : answer.load));
  t.deepEqual({theirs: values[0], ours: values[1]}, expected);
}

test('a missing oslo.config is a failure that says what to install', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'cellar-config-'));
  writeFileSync(join(dir, 'oslo_config.py'), 'raise ImportError("No module named oslo_config")\n');
  const oslo = new Oslo({PYTHONPATH: dir});
  await t.throwsAsync(oslo.define('t', []), {
    message: /No module named oslo_config.*apt-get install python3-oslo\.config/s,
  });
  await oslo.stop();
  rmSync(dir, {recursive: true});
});
