import test from 'ava';
import {merge, tellEarlier} from '../../bench/report/merge.ts';
import {type Report, toJson} from '../../bench/report/report.ts';

const run = (date: string, ...sections: string[]) =>
  ({
    date,
    found: Object.fromEntries(sections.map(name => [name, {result: {ms: 1}, samples: {api: [1]}}])),
  }) as unknown as Report;

type Written = Parameters<typeof merge>[1];

test('a run of some sections takes their place; the others stay, each with the date of its run', t => {
  const monday = toJson(run('monday', 'clone', 'herd', 'memory')) as Written;
  const tuesday = merge(run('tuesday', 'herd'), monday);
  t.deepEqual(Object.keys(tuesday.found).toSorted(), ['clone', 'herd', 'memory']);
  const wednesday = merge(run('wednesday', 'memory'), toJson(tuesday) as Written);
  t.deepEqual(toJson(wednesday)['measured'], {clone: 'monday', herd: 'tuesday', memory: 'wednesday'});
  t.is(tellEarlier(wednesday), '- **Measured before, in the same way**: clone on monday; herd on tuesday\n');
});

test('a whole run leaves nothing of an earlier one', t => {
  const monday = toJson(run('monday', 'clone')) as Written;
  t.is(tellEarlier(merge(run('tuesday', 'clone'), monday)), '');
  t.is(tellEarlier(merge(run('tuesday', 'clone'), undefined)), '');
});
