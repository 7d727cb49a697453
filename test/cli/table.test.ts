import test from 'ava';
import {harmless, pairs, table} from '../../src/cli/table.ts';

test('columns are as wide as their widest cell, numbers on the right, no blanks at the end', t => {
  t.is(
    table(
      ['IMAGE', 'SIZE', 'BY'],
      [
        ['a', '5 GiB', 'compute-1'],
        ['bcdefg', '20 GiB', 'c2'],
      ],
      [1],
    ),
    ['IMAGE     SIZE  BY', 'a        5 GiB  compute-1', 'bcdefg  20 GiB  c2', ''].join('\n'),
  );
});

test('a table without rows is its header', t => {
  t.is(table(['IMAGE', 'SIZE'], []), 'IMAGE  SIZE\n');
});

test('pairs without a value are left out', t => {
  t.is(
    pairs([
      ['disk', 'vms/a'],
      ['size', undefined],
      ['outcome', 'cloned'],
    ]),
    'disk     vms/a\noutcome  cloned\n',
  );
});

test('what a terminal would obey is not printed', t => {
  t.is(harmless('a\x1b[31mb\rc\td\ne\u009bf\u2028g'), 'a?[31mb?c?d\ne?f?g');
});
