import {readFile} from 'node:fs/promises';
import test from 'ava';
import {routes} from '../../src/api/routes.ts';
import {errorKinds} from '../../src/core/errors.ts';

const page = (name: string) => readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const rows = (text: string) =>
  [...text.matchAll(/^\| (.*) \|$/gm)].map(([, row = '']) => row.split(' | ').map(cell => cell.replaceAll('`', '')));

test('the table of docs/errors.md is that of core/errors.ts, in its order', async t => {
  const [, ...kinds] = rows(await page('errors.md'));
  t.deepEqual(
    kinds,
    Object.entries(errorKinds).map(([kind, {status, exit, retry, meaning}]) => [
      kind,
      String(status),
      String(exit),
      retry ? 'yes' : 'no',
      meaning,
    ]),
  );
});

test('the table of docs/api.md has every route, and nothing else', async t => {
  const [, ...requests] = rows(await page('api.md'));
  t.deepEqual(
    requests.map(([request]) => request),
    routes.map(({method, path}) => `${method} ${path}`),
  );
});
