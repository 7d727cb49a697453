/** What the numbers were measured on. */
import {readFileSync} from 'node:fs';
import {arch, cpus, release, totalmem} from 'node:os';
import {version} from '../../src/config/version.ts';
import {run} from '../../test/lab/run.ts';
import type {Place} from '../place.ts';

export type Machine = {
  system: string;
  kernel: string;
  cpu: string;
  cores: number;
  memoryGiB: number;
  load: number[];
  store: string;
  versions: Record<string, string>;
};

/** `load` is of the last 1, 5 and 15 minutes, before anything was measured: with others at work no number is worth much. */
export async function machineOf({cell, floors}: Place, load: number[]): Promise<Machine> {
  const [first] = cpus();
  const {librbd} = await floors.versions();
  const store = /^osd objectstore = (\S+)$/m.exec(readFileSync(cell.conf, 'utf8'));
  const packaged = ['ceph-osd', 'glance-api', 'keystone', 'python3-nova', 'qemu-utils'];
  const versions = await Promise.all(packaged.map(async name => [name, await packageVersion(name)]));
  return {
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    kernel: `${release()} ${arch()}`,
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load,
    store: store?.[1] ?? 'memstore',
    versions: {cellar: version, node: process.versions.node, librbd, ...Object.fromEntries(versions)},
  };
}

async function packageVersion(name: string): Promise<string> {
  return (await run('dpkg-query', ['--show', '--showformat', '$' + '{Version}', name])).trim();
}
