/** Each guarantee names tests that hold it: they are there, under these titles, and run. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'ava';
import {page, root} from './pages.ts';

/** Titles of a file's tests, with … for what is filled in. */
function titlesIn(file: string): Set<string> {
  const source = readFileSync(join(root, file), 'utf8');
  const calls = source.matchAll(
    /\b(?:test|test\.serial)\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/g,
  );
  return new Set(
    [...calls].map(([, single, double, template]) =>
      (single ?? double ?? withoutValues(template ?? ''))
        .replace(/\\u([0-9a-f]{4})/g, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
        .replace(/\\(.)/g, '$1'),
    ),
  );
}

/** `${…}` may hold braces and quotes, but no template of its own that has any. */
function withoutValues(template: string): string {
  let text = '';
  let depth = 0;
  for (let at = 0; at < template.length; at++) {
    if (depth === 0 && template.startsWith('${', at)) {
      depth = 1;
      text += '…';
      at++;
    } else if (depth > 0) {
      if (template[at] === '{') depth++;
      if (template[at] === '}') depth--;
    } else text += template[at];
  }
  return text;
}

const {text} = page('docs/guarantees.md');
const sections = text.split(/^## /m).slice(1);

test('there are the ten of them, in order', t => {
  t.deepEqual(
    sections.map(section => section.split('.')[0]),
    Array.from({length: 10}, (_, index) => `P${index + 1}`),
  );
});

for (const section of sections) {
  const [name = ''] = section.split('\n');
  test(`${name}: the tests that hold it are there`, t => {
    const [, held = ''] = section.split('\nHeld by:\n');
    const named = [...held.matchAll(/^- `([^`]+)`: (.*)$/gm)].map(([, file = '', title = '']) => ({file, title}));
    t.true(named.length >= 3);
    t.is(
      named.length,
      held.split('\n').filter(line => line.startsWith('-')).length,
      'each line names a file and a title',
    );
    for (const {file, title} of named) t.true(titlesIn(file).has(title), `${file} has no test "${title}"`);
    for (const {file} of named)
      t.notRegex(readFileSync(join(root, file), 'utf8'), /\.(skip|todo|failing|only)\(/, file);
  });
}
