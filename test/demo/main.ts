/** `npm run demo`: what cellar does, on real Ceph, Keystone and Glance, in about a minute. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {startAgent} from '../helpers/agent.ts';
import {clusterAt} from '../lab/cluster.ts';
import {startLab, stopLab} from '../lab/lab.ts';
import {openstackOf} from '../lab/openstack.ts';
import {halt} from '../lab/run.ts';
import {prepareImages} from './images.ts';
import {roads} from './roads.ts';
import {printTable, type Result, reasonsToFail} from './rows.ts';
import {say, step} from './say.ts';
import {startWatch} from './watch.ts';

await main();

async function main(): Promise<void> {
  const {values} = parseArgs({
    options: {json: {type: 'boolean', default: false}, size: {type: 'string', default: '512'}},
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => halt.abort(new Error(`stopped by ${signal}`)));
  const base = mkdtempSync(join(tmpdir(), 'cellar-demo-'));
  let result: Result = {rows: [], dashboard: undefined};
  let failures: string[];
  try {
    result = await demo(base, Number(values.size) * 1024 * 1024);
    failures = reasonsToFail(result);
  } catch (error) {
    failures = [(error as Error).message];
  } finally {
    await step('stopping everything', () => stopLab(base));
    rmSync(base, {recursive: true, force: true});
  }
  printTable(result);
  for (const failure of failures) say(`FAILED: ${failure}`);
  if (values.json) process.stdout.write(`${JSON.stringify({ok: failures.length === 0, ...result})}\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

async function demo(base: string, size: number): Promise<Result> {
  say(
    'Two Ceph clusters that cannot reach each other: Glance keeps its images in one, the hosts of a cell their disks in the other.',
  );
  const lab = await step('starting two Ceph clusters, Keystone and Glance', () =>
    startLab({base, tied: true, mgr: true}),
  );
  const cell = clusterAt(lab.cell);
  const openstack = openstackOf(lab);
  const images = await prepareImages({base, size, cell, openstack});
  await using watch = await step('starting Prometheus', () => startWatch(base));
  await using agent = await step('starting cellar-agent on a host of the cell', () =>
    startAgent([lab.novaConf, lab.cellarConf, watch.conf]),
  );
  await watch.scraped();
  const rows = await roads({lab, cell, openstack, images});
  await watch.show(images.far.id, openstack);
  const dashboard = await watch.dashboard();
  await step('stopping cellar-agent', () => agent.stop());
  return {rows, dashboard};
}
