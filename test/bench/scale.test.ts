/** The simulation of a large cell, with few hosts: what it counts is what it says. */
import test from 'ava';
import {measureScale} from '../../bench/scale/main.ts';
import {markdown} from '../../bench/scale/report.ts';
import {quick} from '../../bench/scale/sizes.ts';

test('hosts of a simulated cell share one download, cost the same each, and outlive a filler', async t => {
  const scale = await measureScale(quick, () => {});
  const hosts = quick.steps.at(-1) ?? 0;
  t.deepEqual(
    scale.herds.map(herd => [herd.hosts, herd.downloads]),
    quick.steps.map(count => [count, 1]),
  );
  const [few, many] = scale.boots.map(({perDisk}) => perDisk.reads + perDisk.writes);
  t.true(few !== undefined && few > 10 && Math.abs((many ?? 0) - few) <= 2, `${few} and ${many} operations of a disk`);
  t.deepEqual(
    scale.boots.map(({glanceRecords}) => glanceRecords),
    quick.steps.map(() => 1),
  );
  t.true(scale.idle.election.all < 2, `${scale.idle.election.all} operations of a host that does nothing`);
  const {killed} = scale;
  t.is(killed.hosts + killed.killed, hosts);
  t.is(killed.outcomes['filled'], 1);
  t.true(killed.lastMs >= quick.leaseDuration / 2, 'the lease of the dead filler had to end');
  t.regex(markdown(scale), new RegExp(`\\| ${hosts} \\| 1 \\|`));
});
