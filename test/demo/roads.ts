import {createWriteStream} from 'node:fs';
import {open, rm} from 'node:fs/promises';
import {join} from 'node:path';
import {Readable} from 'node:stream';
import {pipeline} from 'node:stream/promises';
import {cellar} from '../helpers/agent.ts';
import {compareDisk} from '../helpers/bytes.ts';
import type {Cluster} from '../lab/cluster.ts';
import type {OpenStack} from '../lab/openstack.ts';
import {run} from '../lab/run.ts';
import type {LabState} from '../lab/state.ts';
import type {DemoImage, DemoImages} from './images.ts';
import {type Row, rowOf} from './rows.ts';
import {step} from './say.ts';

type Place = {lab: LabState; cell: Cluster; openstack: OpenStack; images: DemoImages};

/** The three roads of cellar, and Nova's own. */
export async function roads(place: Place): Promise<Row[]> {
  const {far, near} = place.images;
  return [
    await withCellar(place, 'fill', far, 'first'),
    await withCellar(place, 'cached', far, 'second'),
    await withCellar(place, 'location', near, 'third'),
    await stock(place, far, 'stock'),
  ];
}

async function withCellar(place: Place, road: Row['road'], image: DemoImage, name: string): Promise<Row> {
  const {lab, cell} = place;
  const disk = `vms/${name}_disk`;
  const args = ['disk', 'create', disk, '--image', image.id, '--size', '1G', '--json', '--socket', lab.socket];
  const {seconds, glanceBytes, result} = await measured(place, image, `cellar disk create ${disk}`, () => cellar(args));
  if (result.code !== 0) throw new Error(`cellar ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  const {outcome, parent} = JSON.parse(result.stdout);
  const row = {road, outcome, seconds, glanceBytes, parent: `${parent.pool}/${parent.image}@${parent.snapshot}`};
  return rowOf(
    row,
    await step(`  comparing every byte of ${disk} with the image`, () => compareDisk(cell.conf, disk, image.path)),
  );
}

/** nova/virt/images.py and rbd_utils.import_image: the image to a file on the hypervisor, fsync, `rbd import`, resize; for each instance again. */
async function stock(place: Place, image: DemoImage, name: string): Promise<Row> {
  const {cell, lab} = place;
  const disk = `vms/${name}_disk`;
  const file = join(lab.base, 'stock-base-file');
  const {seconds, glanceBytes} = await measured(place, image, `download to a file, rbd import ${disk}`, async () => {
    await download(place, image, file);
    const nova = ['-c', cell.conf, '--id', 'nova'];
    await run('rbd', [...nova, 'import', '--no-progress', '--image-format=2', file, disk], {timeoutMs: 300_000});
    await run('rbd', [...nova, 'resize', '--no-progress', '--size', '1G', disk]);
  });
  await rm(file);
  return rowOf(
    {road: 'stock', outcome: 'imported', seconds, glanceBytes, parent: null},
    await step(`  comparing every byte of ${disk} with the image`, () => compareDisk(cell.conf, disk, image.path)),
  );
}

async function download({openstack}: Place, {id}: DemoImage, path: string): Promise<void> {
  const token = await openstack.token(openstack.admin);
  const response = await fetch(`${openstack.glanceUrl}/v2/images/${id}/file`, {headers: {'X-Auth-Token': token}});
  if (response.status !== 200 || response.body === null) throw new Error(`Glance answered ${response.status}`);
  await pipeline(Readable.fromWeb(response.body), createWriteStream(path));
  const file = await open(path, 'r+');
  await file.sync();
  await file.close();
}

/** The seconds a road takes, and the image bytes that Glance's log shows for it. */
async function measured<T>(
  {openstack}: Place,
  {id}: DemoImage,
  name: string,
  act: () => Promise<T>,
): Promise<{seconds: number; glanceBytes: number; result: T}> {
  const before = await openstack.glanceBytes(id);
  const begin = performance.now();
  const result = await step(name, act);
  const seconds = (performance.now() - begin) / 1000;
  return {seconds, glanceBytes: (await openstack.glanceBytes(id)) - before, result};
}
