/** Configuration and JSON in the documents is configuration and JSON. */
import {join} from 'node:path';
import test from 'ava';
import {parseIni} from '../../src/config/ini.ts';
import {readConfig} from '../../src/config/load.ts';
import {options} from '../../src/config/options.ts';
import {withFiles} from '../config/with-files.ts';
import {allBlocks} from './pages.ts';

/** Of other programs, whose options are not in our table. */
const foreign = new Set(['[DEFAULT] glance_api_servers']);

/** What systemd reads is written alike. */
const isUnit = (text: string): boolean => /^\[(Unit|Service|Socket|Install)\]$/m.test(text);

const files = allBlocks.filter(
  ({lang, text}) =>
    (lang === 'ini' || (lang === 'indented' && /^(#.*\n)*\[[A-Za-z_]+\]$/m.test(text))) && !isUnit(text),
);

test('there are examples of configuration', t => t.true(files.length >= 5));

for (const {page, line, text} of files) {
  test(`${page}:${line}: each option is there, and takes its value`, t => {
    const {assignments, problems} = parseIni(text);
    t.deepEqual(problems, []);
    t.true(assignments.length > 0);
    const known = Object.entries(options).flatMap(([group, members]) =>
      Object.keys(members).map(name => `[${group}] ${name}`),
    );
    for (const {section, key} of assignments) {
      const name = `[${section}] ${key}`;
      t.true(known.includes(name) || foreign.has(name), name);
    }
    withFiles({'a.conf': text}, dir => {
      const config = readConfig([{file: join(dir, 'a.conf')}], {env: {}, home: '/nowhere', root: '/nowhere'});
      t.deepEqual(config.check(), []);
    });
  });
}

test('what is marked as JSON is JSON', t => {
  const texts = allBlocks.filter(({lang}) => lang === 'json');
  t.true(texts.length > 0);
  for (const {page, line, text} of texts) t.notThrows(() => JSON.parse(text), `${page}:${line}`);
});
