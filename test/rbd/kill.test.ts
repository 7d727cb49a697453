/** kill -9 of a whole agent at any moment of a request on real Ceph: the next request is right, and recovery leaves nothing. */
import {randomUUID} from 'node:crypto';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {recover} from '../../src/core/recover.ts';
import {makeWorld, resolve, types} from '../core/world.ts';
import {MiB, never} from '../suites/subject.ts';
import {start} from './agent-process.ts';
import {realCell} from './real-cell.ts';
import {bytesOf, imagesOf, type RequestWork} from './request-process.ts';

const leaseDuration = 12_000;
const busyTimeout = 45_000; // longer than a dead client's watch lives
const subject = realCell(test, {leaseDuration, busyTimeout});

/** Runs one request in a process of its own and kills it so many ms after it began; whether it was still at work. */
async function killAfter(ms: number, work: RequestWork): Promise<boolean> {
  const {child, ended} = await start(fileURLToPath(new URL('request-process.ts', import.meta.url)), work);
  await sleep(ms);
  child.kill('SIGKILL');
  const [, signal] = await ended;
  return signal === 'SIGKILL';
}

for (const [scene, moments] of Object.entries({
  fill: [0, 30, 60, 100, 150, 250, 400],
  clone: [0, 10, 20, 30, 45, 60, 90],
})) {
  for (const ms of moments) {
    test(`killed ${ms} ms into a ${scene}, the disk is right in the end and nothing is left`, async t => {
      const {cell, user, pools, put, read, rados} = await subject();
      const image = randomUUID();
      const data = bytesOf(image);
      const parent = {pool: pools.images, image, snapshot: 'snap'};
      if (scene === 'clone') await put(parent, data);
      const work = {
        user,
        cache: pools.cache,
        disks: pools.disks,
        image,
        leaseDuration,
        ...(scene === 'clone' && {parent}),
      };
      t.log((await killAfter(ms, work)) ? 'killed at work' : 'it had ended');
      const limits = {host: image, waitPoll: 100, cleanUpTimeout: 60_000};
      const world = makeWorld(cell, imagesOf(work, await cell.fsid(never)), limits);
      const disk = {pool: pools.disks, name: `disk-${image}`};
      const {outcome} = await resolve(world, {image, ...disk, size: 20 * MiB});
      t.log(outcome, ...types(world));
      t.true((await read(disk)).equals(Buffer.concat([data, Buffer.alloc(20 * MiB - data.length)])));
      await recover(world, never);
      t.is(await cell.intents.get(disk, never), undefined);
      const copies = (await cell.copies.list(never)).filter(name => name.startsWith(image));
      const entry = await cell.index.get(image, never);
      t.deepEqual(copies, scene === 'fill' ? [entry?.rbdImage] : []);
      t.false((await cell.index.claims(never)).some(claim => claim.image === image));
      t.false((await rados(pools.cache, 'ls')).includes(`cellar.fill.${image}`));
    });
  }
}
