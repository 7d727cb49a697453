import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {readConfig} from '../../src/config/load.ts';
import {optionsMarkdown} from '../../src/config/markdown.ts';
import {defaultText, type Table} from '../../src/config/option.ts';
import {options} from '../../src/config/options.ts';
import {sampleIni} from '../../src/config/sample.ts';
import {withFiles} from './with-files.ts';

const bare = {env: {}, home: '/nowhere', root: '/nowhere'};
const all = Object.entries(options as Table).flatMap(([group, members]) =>
  Object.entries(members).map(([name, option]) => ({group, name, option})),
);

test('the sample file, taken at its word, gives the defaults', t => {
  const lines = sampleIni().split('\n');
  const uncommented = lines.map(line => (/^#[a-z_]+ =(?! <)/.test(line) ? line.slice(1) : line)).join('\n');
  withFiles({'a.conf': uncommented}, dir => {
    const config = readConfig([{file: join(dir, 'a.conf')}], bare);
    t.deepEqual(config.check(), []);
    const plain = readConfig([], bare).entries();
    const sampled = config.entries();
    t.deepEqual(
      sampled.map(({value}) => value),
      plain.map(({value}) => value),
    );
    const fromFile = sampled.filter(({origin}) => origin.from === 'file').length;
    t.is(fromFile, all.filter(({option}) => typeof option.default === 'string').length);
  });
});

test('the sample file as it is sets nothing, and names every option', t => {
  withFiles({'a.conf': sampleIni()}, dir => {
    const config = readConfig([{file: join(dir, 'a.conf')}], bare);
    t.true(config.entries().every(({origin}) => origin.from === 'default'));
  });
  for (const {name} of all) t.regex(sampleIni(), new RegExp(`^#${name} =`, 'm'));
});

test('docs/configuration.md is made from the option table', t => {
  const path = new URL('../../docs/configuration.md', import.meta.url);
  if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(path, optionsMarkdown());
  t.is(readFileSync(path, 'utf8'), optionsMarkdown(), 'UPDATE_DOCS=1 ava test/config/documents.test.ts writes it');
});

test('every option says what it is, why, and has a default of its type', t => {
  for (const {group, name, option} of all) {
    t.regex(option.help, /\.$/, `[${group}] ${name}`);
    t.regex(option.reason, /\.$/, `[${group}] ${name}`);
    const text = defaultText(option);
    if (typeof text === 'string' && !text.includes('$')) t.notThrows(() => option.type.parse(text));
  }
});

/** What a number counts, by its option's name; others are plain numbers. */
const units: [RegExp, string][] = [
  [/timeout|lease|cpu_time|idle|grace|interval/, 'seconds'],
  [/_size/, 'GiB'],
  [/memory/, 'MiB'],
  [/max_fill/, 'percent'],
];

test('every number of ours has a bound, and a unit where it needs one', t => {
  for (const {name, option} of all.filter(({option}) => option.owner === 'cellar' && option.type.name === 'integer')) {
    t.truthy(option.type.range, name);
    t.is(option.unit, units.find(([pattern]) => pattern.test(name))?.[1], name);
  }
});
