/** docs/scale.md: what was measured, what it makes for a large cell, and the words of people, which are kept. */
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {rounded} from '../stats.ts';
import {assumed, expect} from './expect.ts';
import type {Ops} from './ops.ts';
import type {BootsFound, HerdFound, IdleFound, KilledFound, RoundFound} from './scenarios.ts';
import type {ScaleSizes} from './sizes.ts';

export type Scale = {
  date: string;
  seconds: number;
  sizes: ScaleSizes;
  /** Bytes of a simulated host's share of its process. */
  residentPerHost: number;
  /** The first disk of an image: fill and clone. */
  fill: Ops;
  boots: BootsFound[];
  herds: HerdFound[];
  idle: IdleFound;
  rounds: RoundFound[];
  killed: KilledFound;
};

const doc = (name: string) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));
const mark = '<!-- What follows is written by hand and kept by `npm run bench:scale -- --write`. -->';

export function writeScale(scale: Scale): void {
  const file = doc('scale.md');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const at = before.indexOf(mark);
  const notes = at < 0 ? '' : before.slice(at + mark.length).replace(/^\n/, '');
  writeFileSync(file, `${markdown(scale)}\n${mark}\n${notes}`);
  writeFileSync(doc('scale.json'), `${JSON.stringify(scale, undefined, 2)}\n`);
}

export const printScale = (scale: Scale): void => void process.stdout.write(`${tables(scale)}\n`);

export function markdown(scale: Scale): string {
  const {date, seconds, sizes} = scale;
  const hosts = sizes.steps.at(-1);
  return `# Scale

What a cell asks of its Ceph, of Glance, of Keystone and of the message bus, for each host, image and server; and what that makes for a cell of ${number(assumed.hosts)} hosts and a cloud of ${assumed.cells} cells.

The numbers are from ${hosts} simulated hosts on one real Ceph cluster (${date.slice(0, 10)}, ${Math.round(seconds / 60)} minutes): each is an agent's own code for leases, index, usage, fills and clones, with rados connections of its own, ${sizes.processes} processes in all. Glance is a stand-in that counts. Operations are what the OSD counted. Times are of this small machine with everything on it, and say how cost grows, not how quick a real cell is.

${tables(scale)}

To repeat it: \`npm run bench:scale\`; \`-- --quick\` shows in a minute that it runs, \`-- --write\` writes this page and [scale.json](scale.json).
`;
}

function tables({residentPerHost, fill, boots, herds, idle, rounds, killed, ...scale}: Scale): string {
  return [
    '## A disk of an image that the cell has',
    table(
      [
        'hosts at once',
        'disks',
        'operations of a disk',
        '… reads',
        '… writes',
        'bytes in',
        'bytes out',
        'Glance GETs',
        'median',
        'p99',
        'disks/s',
      ],
      boots.map(({hosts, disks, perDisk, p50Ms, p99Ms, perSecond, glanceRecords}) => [
        hosts,
        disks,
        ...ops(perDisk),
        bytes(perDisk.inBytes),
        bytes(perDisk.outBytes),
        number(glanceRecords),
        ms(p50Ms),
        ms(p99Ms),
        number(perSecond),
      ]),
    ),
    '## All hosts ask at once for an image that the cell has not',
    `The fill and its own disk: ${number(fill.all)} operations for ${bytes(scale.sizes.image)}. Beyond that:`,
    table(
      [
        'hosts',
        'downloads',
        'operations of a waiting host, its disk included',
        '… reads',
        '… writes',
        'first disk',
        'last disk',
      ],
      herds.map(({hosts, downloads, perHost, firstMs, lastMs}) => [
        hosts,
        downloads,
        ...ops(perHost),
        ms(firstMs),
        ms(lastMs),
      ]),
    ),
    `The filler's process was killed in mid-fill, with ${killed.killed} of ${killed.hosts + killed.killed} hosts: the other ${killed.hosts} had their disks ${ms(killed.lastMs)} later, with a lease of ${ms(killed.leaseMs)} (\`fill_lease\`).`,
    '## Nothing happens',
    table(
      ['once in a janitor_interval', 'operations of a host'],
      [
        ['writing down what was used, if anything was', number(idle.usage.all)],
        ['asking who the janitor is', number(idle.election.all)],
      ],
    ),
    'One host of the cell is the janitor. Its round, with Glance asked about every image that has a copy, which is done once in a `deleted_check_interval`:',
    table(
      ['copies in the index', 'objects in the pool', 'operations', 'bytes out', 'Glance GETs', 'time'],
      rounds.map(({entries, objects, ops: {all, outBytes}, glanceRecords, ms: time}) => [
        number(entries),
        number(objects),
        number(all),
        bytes(outBytes),
        number(glanceRecords),
        ms(time),
      ]),
    ),
    `A simulated host takes ${bytes(residentPerHost)} of memory for its connections and what it runs on.`,
    '## What that makes',
    expect({residentPerHost, fill, boots, herds, idle, rounds, killed, ...scale}),
  ].join('\n\n');
}

const ops = ({all, reads, writes}: Ops) => [number(all), number(reads), number(writes)];

export function table(head: string[], rows: (string | number)[][]): string {
  const line = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

export const number = (value: number): string => value.toLocaleString('en-US', {maximumSignificantDigits: 3});
const ms = (value: number): string => (value < 1000 ? `${Math.round(value)} ms` : `${rounded(value / 1000, 3)} s`);

export function bytes(value: number): string {
  const [unit, size] = value >= 1024 ** 2 ? ['MiB', 1024 ** 2] : value >= 1024 ? ['KiB', 1024] : ['B', 1];
  return `${rounded(value / Number(size), 3)} ${unit}`;
}
