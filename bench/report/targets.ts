/** What the numbers are held against, and what each is called. */
import type {Result} from '../sections/section.ts';

export type Row = {
  section: string;
  key: string;
  /** What it says, for a reader who has not seen the code. */
  title: string;
  unit: 'x' | 'ms' | 's' | 'MiB' | '/s' | '';
  target?: {text: string; met: (value: number, result: Result) => boolean};
};

const atMost = (limit: number, unit = 'x') => ({text: `≤ ${limit}${unit}`, met: (value: number) => value <= limit});
const atLeast = (limit: number) => ({text: `≥ ${limit}x`, met: (value: number) => value >= limit});
const exactly = (wanted: number) => ({text: `${wanted}`, met: (value: number) => value === wanted});

const row = (section: string, key: string, unit: Row['unit'], title: string, target?: Row['target']): Row => ({
  section,
  key,
  unit,
  title,
  ...(target && {target}),
});

/** Every number of the report, in its order. */
export const rows: Row[] = [
  row('clone', 'p50Ms', 'ms', 'a disk by the API, cloned from a location in the cell (median)'),
  row('clone', 'vsFloor', 'x', '… against bare librbd clone + resize on an open connection', atMost(1.3)),
  row('clone', 'vsCli', 'x', '… against `rbd clone` + `rbd resize`'),
  row('clone', 'vsNova', 'x', "… against Nova's own code", atMost(0.35)),
  row('clone', 'cachedP50Ms', 'ms', "a disk by the API, cloned from the cell's cached copy (median)"),
  row('clone', 'cachedVsFloor', 'x', '… against bare librbd', atMost(1.3)),
  row('fillRaw', 'seconds', 's', 'the first disk of a raw image in the cell'),
  row('fillRaw', 'vsFloor', 'x', '… against the slower floor: download alone, or writes alone', atMost(1.25)),
  row('fillRaw', 'vsCurlImport', 'x', '… against `curl | rbd import -`', atMost(0.9)),
  row('fillRaw', 'vsNova', 'x', "… against Nova's own code: download to a file, `rbd import`, resize", atMost(0.5)),
  row('fillRaw', 'downloadSeconds', 's', 'floor: the download alone, to nothing'),
  row('fillRaw', 'writeSeconds', 's', 'floor: the writes alone, at the best depth'),
  row('fillRaw', 'loopP99Ms', 'ms', "… how late the agent's event loop was, 99th percentile", atMost(20, ' ms')),
  row('fillQcow2', 'seconds', 's', 'the first disk of the same image as qcow2'),
  row('fillQcow2', 'vsNova', 'x', "… against Nova's own code: download, `qemu-img convert`, `rbd import`", atMost(0.6)),
  row('nthQcow2', 'p50Ms', 'ms', 'the second to n-th disk of the qcow2 image (median)'),
  row('nthQcow2', 'vsNova', 'x', "… against Nova's own code: a full import each", atMost(0.1)),
  row('herd', 'dataGets', '', 'downloads that Glance saw from the whole herd on a cold image', exactly(1)),
  row('herd', 'glanceBytes', 'MiB', '… bytes that Glance sent for it'),
  row('herd', 'wrongDisks', '', '… disks whose bytes are not the image', exactly(0)),
  row('herd', 'seconds', 's', '… until the last disk was ready'),
  row('memory', 'growthMiB', 'MiB', "growth of the agent's resident memory in a fill", atMost(96, ' MiB')),
  row('memory', 'differenceMiB', 'MiB', '… difference between the small and the large image', atMost(16, ' MiB')),
  row('parallel', 'perSecond', '/s', 'disks a second, many in flight'),
  row('parallel', 'p50Ms', 'ms', '… median'),
  row('parallel', 'p99Ms', 'ms', '… 99th percentile'),
  row('parallel', 'vsSequential', 'x', '… rate against one after the other', atLeast(2)),
  row('parallel', 'floorPerSecond', '/s', 'floor: bare librbd with as many in flight'),
  row('facade', 'rawFirstMs', 'ms', "unmodified nova-compute behind the facade, raw: the first server's disk"),
  row('facade', 'rawFirstVsStock', 'x', '… against the same without it: download, `rbd import`', atMost(0.6)),
  row('facade', 'rawNthMs', 'ms', "… the next server's disk"),
  row('facade', 'rawNthVsStock', 'x', '… against the same without it: `rbd import`', atMost(0.15)),
  row(
    'facade',
    'nthFloorMs',
    'ms',
    "floor: the same Nova without the facade, the cell's location in Glance's own answer",
  ),
  row('facade', 'nthVsFloor', 'x', '… the next server behind the facade against it'),
  row('facade', 'getMs', 'ms', "… of that, the image's record through the facade (median)"),
  row('facade', 'getGlanceMs', 'ms', '… the same record of Glance itself (median)'),
  row('facade', 'rawFirstActiveVsStock', 'x', '… the first server from the API call to ACTIVE'),
  row('facade', 'rawNthActiveVsStock', 'x', '… the next server from the API call to ACTIVE'),
  row('facade', 'qcow2FirstMs', 'ms', "the same with qcow2: the first server's disk"),
  row(
    'facade',
    'qcow2FirstVsStock',
    'x',
    '… against the same without it: download, convert, `rbd import`',
    atMost(0.6),
  ),
  row('facade', 'qcow2NthMs', 'ms', "… the next server's disk"),
  row('facade', 'qcow2NthVsStock', 'x', '… against the same without it: `rbd import`', atMost(0.15)),
  row('facade', 'qcow2FirstActiveVsStock', 'x', '… the first server from the API call to ACTIVE'),
  row('facade', 'qcow2NthActiveVsStock', 'x', '… the next server from the API call to ACTIVE'),
  row('facade', 'hypervisorBytes', '', 'bytes of images that stay on the hypervisor', exactly(0)),
  row('registration', 'seconds', 's', "a new host: from the start of its agent's process until it is mapped"),
  row('registration', 'vsDiscoverHosts', 'x', '… against `nova-manage cell_v2 discover_hosts`, run at once and alone'),
  row('registration', 'discoverSeconds', 's', '… that command, for one new host'),
  row('registration', 'hostMs', 'ms', 'many new hosts, one after the other: each (median)'),
  row('registration', 'callsPerHost', '', '… calls to the conductor for each, at most'),
  row('registration', 'costGrowth200', 'x', '… the last tenth of them against the first', atMost(1.2)),
  row('registration', 'allSeconds', 's', '… all of them'),
  row('registration', 'discoverAllSeconds', 's', '… discover_hosts for as many'),
];
