/** From what one host costs to what a large cell costs: multiplication, with every factor on the page. */
import type {Scale} from './report.ts';
import {bytes, number, table} from './report.ts';
import {entryBytes} from './scenarios.ts';

/** A large deployment. Intervals are the defaults of the options, in seconds. */
export const assumed = {
  cells: 100,
  hosts: 1000,
  /** Servers made per host and day. */
  boots: 50,
  /** Images in a cell's cache, and new ones a day. */
  images: 500,
  newImages: 20,
  /** Hosts that ask for a new image while it is being filled. */
  herd: 100,
  janitorInterval: 300,
  deletedCheckInterval: 3600,
  reportInterval: 10,
  /** How long Keystone's tokens live, by its default. */
  tokenLife: 3600,
};

const day = 86_400;

/** The markdown table. */
export function expect({boots, herds, fill, idle, rounds}: Scale): string {
  const {cells, hosts, images, newImages, herd, janitorInterval, deletedCheckInterval, reportInterval, tokenLife} =
    assumed;
  const boot = boots.at(-1)?.perDisk.all ?? 0;
  const gets = boots.at(-1)?.glanceRecords ?? 0;
  const waiter = herds.at(-1)?.perHost.all ?? 0;
  const round = rounds[0]?.ops.all ?? 0;
  const bootsPerSecond = (hosts * assumed.boots) / day;
  const rows: [what: string, how: string, perCell: number][] = [
    [
      'Ceph: disks of images that the cell has',
      `${number(boot)} operations x ${number(hosts)} hosts x ${assumed.boots} servers a day`,
      boot * bootsPerSecond,
    ],
    [
      'Ceph: new images',
      `(${number(fill.all)} for the fill + ${herd} waiting hosts x ${number(waiter)}) x ${newImages} images a day; a fill writes every object of the image besides`,
      ((fill.all + herd * waiter) * newImages) / day,
    ],
    [
      'Ceph: hosts that do nothing',
      `${number(idle.usage.all + idle.election.all)} operations x ${number(hosts)} hosts every ${janitorInterval} s`,
      ((idle.usage.all + idle.election.all) * hosts) / janitorInterval,
    ],
    [
      'Ceph: the janitor',
      `${number(round)} operations every ${janitorInterval} s, and the listing of the pool`,
      round / janitorInterval,
    ],
    [
      'Glance: GET of a record, by requesters',
      `${number(gets)} x ${number(hosts)} hosts x ${assumed.boots} servers a day`,
      gets * bootsPerSecond,
    ],
    [
      'Glance: GET of a record, by the janitor',
      `${images} images every ${deletedCheckInterval} s`,
      images / deletedCheckInterval,
    ],
    ['Glance: downloads', `${newImages} images a day, once each`, newImages / day],
    ['Keystone: tokens of the agents', `${number(hosts)} hosts, a token each ${tokenLife} s`, hosts / tokenLife],
    [
      'message bus: signs of life',
      `${number(hosts)} hosts, one call every ${reportInterval} s (report_interval)`,
      hosts / reportInterval,
    ],
  ];
  return [
    `A cell of ${number(hosts)} hosts with ${assumed.boots} new servers per host and day and ${images} images in its cache, and ${cells} such cells with one Glance and one Keystone:`,
    table(
      ['', 'from', 'a second, in a cell', 'a second, in all cells'],
      rows.map(([what, how, perCell]) => [
        what,
        how,
        number(perCell),
        what.startsWith('Ceph') || what.startsWith('message') ? 'each cell its own' : number(perCell * cells),
      ]),
    ),
    `Watches: none on disks; a host that waits for a fill watches the object of its lease, so at most one for each waiting host and image. Locks: one lease for each fill under way, and the janitor's. The index is one object with ${number(images)} keys, some ${bytes(images * entryBytes)} in all; a fill reads it once, the janitor's round ${number(readings(rounds))} times.`,
  ].join('\n\n');
}

/** How often a round reads the index: by what more entries made it read more. */
function readings(rounds: Scale['rounds']): number {
  const [least] = rounds;
  const most = rounds.toSorted((a, b) => a.entries - b.entries).at(-1);
  if (least === undefined || most === undefined || most.entries === least.entries) return 0;
  return Math.round((most.ops.outBytes - least.ops.outBytes) / (most.entries - least.entries) / entryBytes);
}
