/** What tests look at: disks and copies in a cell's Ceph (cell1's, if none is named), downloads in Glance's log, files on the host. */
import {closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {type CellName, novaLab} from '../../lab/nova/shared.ts';
import {openstack} from '../../lab/shared.ts';
import type {Host} from './host.ts';

const rbd = (cell: CellName, ...args: string[]) =>
  novaLab()
    .cluster(cell)
    .rbd(...args);
const list = async (cell: CellName, pool: string): Promise<string[]> =>
  JSON.parse(await rbd(cell, 'ls', pool, '--format=json'));

/** The disks of a server, by what follows its id: `disk`, `disk.rescue`. */
export async function disksOf(server: string, cell: CellName = 'cell1'): Promise<string[]> {
  return (await list(cell, 'vms'))
    .filter(name => name.startsWith(`${server}_`))
    .map(name => name.slice(server.length + 1))
    .sort();
}

type Info = {id: string; size: number; parent?: {pool: string; image: string; snapshot: string}};

/** The snapshot that a disk is a clone of, as `pool/image@snapshot`. */
export async function parentOf(server: string, disk = 'disk'): Promise<string | undefined> {
  const {parent} = await infoOf(server, disk);
  return parent && `${parent.pool}/${parent.image}@${parent.snapshot}`;
}

export const infoOf = async (server: string, disk = 'disk', cell: CellName = 'cell1'): Promise<Info> =>
  JSON.parse(await rbd(cell, 'info', '--format', 'json', `vms/${server}_${disk}`));

/** The names of the snapshots of a server's first disk. */
export async function snapshotsOf(server: string, cell: CellName = 'cell1'): Promise<string[]> {
  const listed = await rbd(cell, 'snap', 'ls', '--format=json', `vms/${server}_disk`);
  return (JSON.parse(listed) as {name: string}[]).map(({name}) => name);
}

/** The cell's copies of an image. */
export const copiesOf = async (image: string, cell: CellName = 'cell1'): Promise<string[]> =>
  (await list(cell, 'cellar')).filter(name => name.startsWith(image));

/** The disk is a clone of the cell's one copy of the image, and holds its bytes and then nothing. */
export async function isClone(t: ExecutionContext, server: string, image: string, bytes: Buffer, disk = 'disk') {
  const copies = await copiesOf(image);
  t.is(copies.length, 1);
  t.regex(copies[0] ?? '', new RegExp(`^${image}\\.[^.@/]+$`));
  t.is(await parentOf(server, disk), `cellar/${copies[0]}@snap`);
  await holds(t, server, bytes, disk);
}

/** The disk holds these bytes and then nothing. */
export async function holds(
  t: ExecutionContext,
  server: string,
  bytes: Buffer,
  disk = 'disk',
  cell: CellName = 'cell1',
) {
  const dir = mkdtempSync(join(novaLab().state.dir, 'export-'));
  try {
    await rbd(cell, 'export', '--no-progress', `vms/${server}_${disk}`, join(dir, 'disk'));
    t.is(differsAt(join(dir, 'disk'), bytes), undefined, 'the first byte that differs');
  } finally {
    rmSync(dir, {recursive: true});
  }
}

/** Where a file is not these bytes with nothing but zeros behind them. It may be much larger. */
function differsAt(file: string, bytes: Buffer): number | undefined {
  const fd = openSync(file, 'r');
  try {
    const size = fstatSync(fd).size;
    if (size < bytes.length) return size;
    const chunk = Buffer.alloc(8 << 20);
    for (let at = 0; at < size; at += chunk.length) {
      const found = chunk.subarray(0, readSync(fd, chunk, 0, chunk.length, at));
      const wanted = Buffer.alloc(found.length);
      if (at < bytes.length) bytes.copy(wanted, 0, at);
      if (!found.equals(wanted)) return at + found.findIndex((byte, index) => byte !== wanted[index]);
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Downloads of the image that Glance has answered, whoever asked. */
export const downloads = async (image: string, since?: number) =>
  (await openstack().glanceRequests(since)).filter(
    ({method, path}) => method === 'GET' && path === `/v2/images/${image}/file`,
  ).length;

/** Nova's local copies of images. */
export function baseFiles({compute}: Host): string[] {
  try {
    return readdirSync(join(compute.instancesPath, '_base'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
