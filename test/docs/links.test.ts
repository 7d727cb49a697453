/** Every relative link in the documents leads somewhere: to a file of this repository, and to a heading in it. */
import {existsSync} from 'node:fs';
import {dirname, join, normalize} from 'node:path';
import test from 'ava';
import {anchors, pages, prose, root} from './pages.ts';

/** Targets of links and images, titles left out. */
const linksIn = (text: string): string[] =>
  [...text.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)].map(([, target = '']) => target);

for (const page of pages) {
  test(`${page.path}: its links lead somewhere`, t => {
    for (const link of linksIn(prose(page))) {
      if (/^[a-z][a-z+.-]*:/i.test(link)) {
        t.regex(link, /^https:\/\//, link);
        continue;
      }
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page.path : normalize(join(dirname(page.path), path));
      t.false(target.startsWith('..'), `${link} leads out of the repository`);
      t.true(existsSync(join(root, target)), `${link}: there is no ${target}`);
      if (anchor === undefined) continue;
      const there = pages.find(one => one.path === target);
      t.true(there !== undefined && anchors(there).has(anchor), `${link}: ${target} has no such heading`);
    }
    t.pass();
  });
}

test('every page of docs/ can be reached from the readme', t => {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    const found = pages.find(one => one.path === path);
    if (found === undefined || reached.has(path)) return;
    reached.add(path);
    for (const link of linksIn(prose(found))) visit(normalize(join(dirname(path), link.split('#')[0] ?? '')));
  };
  visit('README.md');
  t.deepEqual(
    pages
      .map(({path}) => path)
      .filter(path => path.startsWith('docs/') && !path.startsWith('docs/decisions/') && !reached.has(path)),
    [],
  );
});
