/** `npm run bench:scale`: what a cell of many hosts asks of its Ceph and of Glance, by agents' own code on a real cluster. */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {startCeph} from '../../test/lab/ceph.ts';
import {reservePorts} from '../../test/lab/ports.ts';
import {halt} from '../../test/lab/run.ts';
import {agentCaps} from '../../test/rbd/real-cell.ts';
import {Fleet} from './fleet.ts';
import type {ImageSpec} from './glance.ts';
import {printScale, type Scale, writeScale} from './report.ts';
import {
  addEntries,
  addObjects,
  type BootsFound,
  boots,
  type HerdFound,
  herd,
  idle,
  killed,
  type RoundFound,
  round,
  type Site,
} from './scenarios.ts';
import {full, quick, type ScaleSizes} from './sizes.ts';

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => halt.abort(new Error(`stopped by ${signal}`)));
  const {values} = parseArgs({
    options: {
      quick: {type: 'boolean', default: false},
      write: {type: 'boolean', default: false},
      json: {type: 'boolean', default: false},
    },
  });
  if (values.write && values.quick) throw new Error('--write is for a whole run: without --quick');
  const scale = await measureScale(values.quick ? quick : full, line => process.stderr.write(`${line}\n`));
  printScale(scale);
  if (values.json) process.stdout.write(`${JSON.stringify(scale)}\n`);
  if (values.write) writeScale(scale);
}

/** On a cluster of its own, which is gone with it. */
export async function measureScale(sizes: ScaleSizes, say: (line: string) => void): Promise<Scale> {
  const begin = performance.now();
  const base = mkdtempSync(join(tmpdir(), 'cellar-scale-'));
  const ports = await reservePorts({preferred: 25_000});
  try {
    say('starting Ceph');
    await using ceph = await startCeph({
      name: 'scale',
      base,
      port: ports.first,
      tied: true,
      pools: ['cellar', 'vms', 'images'],
    });
    const pools = {cache: 'cellar', disks: 'vms'};
    const {user} = await ceph.addUser('cellar', agentCaps({...pools, images: 'images'}));
    const images = imagesFor(sizes);
    const hosts = sizes.steps.at(-1) ?? 1;
    await using fleet = new Fleet(hosts, sizes.processes, {
      conf: ceph.conf,
      user,
      pools,
      images: Object.values(images),
      leaseDuration: sizes.leaseDuration,
    });
    const found = await walk({ceph, fleet, pools, user, say}, sizes, images);
    return {date: new Date().toISOString(), seconds: (performance.now() - begin) / 1000, sizes, ...found};
  } finally {
    await ports.release();
    rmSync(base, {recursive: true, force: true, maxRetries: 3});
  }
}

function imagesFor({steps, image}: ScaleSizes): Record<string, ImageSpec> {
  const names = ['warm', 'alone', ...steps.map(hosts => `herd${hosts}`), 'killed'];
  return Object.fromEntries(
    names.map((name, n) => {
      const id = `00000000-0000-4000-8000-${(n + 1).toString(16).padStart(12, '0')}`;
      return [name, {id, seed: n + 1, size: image, ...(name === 'killed' && {pause: 100})}];
    }),
  );
}

async function walk(site: Site, sizes: ScaleSizes, images: Record<string, ImageSpec>) {
  const {fleet, say} = site;
  const id = (name: string) => images[name]?.id ?? '';
  say(`connecting ${fleet.hosts} hosts`);
  const residentPerHost = (await fleet.connect()) / fleet.hosts;
  const {perHost: fill} = await herd(site, id('alone'), 1, nothing);
  await herd(site, id('warm'), 1, nothing);

  const rounds: RoundFound[] = [];
  const booted: BootsFound[] = [];
  for (const hosts of sizes.steps) {
    const disks = Math.max(1, Math.round(sizes.disks / hosts));
    booted.push(await boots(site, id('warm'), hosts, disks));
    say(`  boots on ${hosts} hosts`);
  }
  const idled = await idle(site);
  say('  idle');
  const herds: HerdFound[] = [];
  for (const hosts of sizes.steps) {
    herds.push(await herd(site, id(`herd${hosts}`), hosts, fill));
    say(`  herd of ${hosts} hosts`);
  }
  let entries = 0;
  for (const wanted of sizes.entries) {
    await addEntries(site, entries, wanted);
    entries = wanted;
    rounds.push(await round(site, wanted));
    say(`  the janitor’s round with ${wanted} more entries`);
  }
  await addObjects(site, sizes.objects);
  rounds.push(await round(site, entries));
  say(`  the janitor’s round with ${sizes.objects} more objects`);
  const death = await killed(site, id('killed'), sizes.leaseDuration);
  return {residentPerHost, fill, boots: booted, herds, idle: idled, rounds, killed: death};
}

const nothing = {all: 0, reads: 0, writes: 0, inBytes: 0, outBytes: 0};

if (import.meta.main) await main();
