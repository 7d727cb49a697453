/** Two agents of a cell and a cold image: one fills, the other follows it. */
import {randomBytes} from 'node:crypto';
import {setTimeout as sleep} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {createClient} from '../../src/api/client.ts';
import type {Progress} from '../../src/core/request.ts';
import {run} from '../lab/run.ts';
import {openstack} from '../lab/shared.ts';
import {makePlace} from './place.ts';
import {slowGlance} from './slow-glance.ts';

const mib = 1024 * 1024;

/** One agent in the middle of a fill that Glance holds up, and another that waits for it and has heard how far it is. */
async function scene(t: ExecutionContext) {
  await using stack = new AsyncDisposableStack();
  const glance = stack.use(await slowGlance());
  const place = stack.use(await makePlace({glance: glance.proxy.url}));
  const image = await openstack().uploadImage({bytes: randomBytes(40 * mib)});
  const second = place.host('compute-2');
  const filler = stack.use(await place.startAgent());
  const waiter = stack.use(await second.startAgent());
  const [client, other] = [place, second].map(({socket}) => createClient({socket, version: 'test'}));
  if (client === undefined || other === undefined) throw new Error('two clients were made');

  const disk = (name: string) => ({pool: place.vms, name, image: image.id});
  const filled = client.createDisk(disk('a')).catch((error: Error) => error);
  await filler.waitForLog(line => line['event'] === 'fill-started');
  const heard: Progress[] = [];
  const leaver = new AbortController();
  const options = {signal: leaver.signal, onProgress: (progress: Progress) => heard.push(progress)};
  const waited = other.createDisk(disk('b'), options).catch((error: Error) => error);
  await waiter.waitForLog(line => line['event'] === 'fill-waiting');
  t.true(await eventually(() => heard.some(({received}) => received >= 16 * mib)));
  const watchers = async () =>
    run('rados', ['-c', place.cell.conf, '-p', place.cache, 'listwatchers', `cellar.fill.${image.id}`]);
  const owned = stack.move();
  return {
    ...{glance, place, image, filler, waiter, client, other, filled, waited, heard, leaver, watchers},
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function eventually(condition: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(50))
    if (await condition()) return true;
  return false;
}

test.serial("the waiter's progress is the filler's, its status tells it, and it clones what is published", async t => {
  await using one = await scene(t);
  const {image, heard} = one;
  const {fills} = await one.other.status();
  const [fill] = fills;
  t.is(fills.length, 1);
  t.like(fill, {image: image.id, size: image.size});
  t.true((fill?.received ?? 0) >= 16 * mib && (fill?.received ?? 0) < image.size);
  t.regex(await one.watchers(), /watcher=/);
  one.glance.open();
  t.like(await one.filled, {outcome: 'filled'});
  t.like(await one.waited, {outcome: 'cloned-from-cache', glanceBytes: 0});
  const received = heard.map(progress => progress.received);
  t.deepEqual(
    received,
    received.toSorted((a, b) => a - b),
  );
  t.true(heard.every(progress => progress.image === image.id && progress.size === image.size));
  t.deepEqual((await one.other.status()).fills, []);
});

test.serial('when Glance cuts the filler off, the waiter takes over and hears of its own progress', async t => {
  await using one = await scene(t);
  const {heard, image} = one;
  one.glance.cut();
  t.like(await one.filled, {kind: 'unavailable'});
  await one.waiter.waitForLog(line => line['event'] === 'fill-started');
  one.glance.open();
  t.like(await one.waited, {outcome: 'filled', glanceBytes: image.size});
  t.is(heard.at(-1)?.received, image.size);
  t.deepEqual(await one.place.omapKeys('cellar.index'), [image.id]);
  t.is((await one.place.cacheImages()).length, 1);
});

test.serial('when the filler is killed, the waiter takes over once its lease has ended', async t => {
  await using one = await scene(t);
  await one.filler.kill();
  t.true((await one.filled) instanceof Error);
  one.glance.open();
  t.like(await one.waited, {outcome: 'filled'});
  t.is((await one.place.cacheImages()).length, 1);
});

test.serial('a waiter that leaves leaves nothing behind: no watch, and no fill in its status', async t => {
  await using one = await scene(t);
  one.leaver.abort();
  t.like(await one.waited, {kind: 'cancelled'});
  t.true(await eventually(async () => !(await one.watchers()).includes('watcher=')));
  t.true(await eventually(async () => (await one.other.status()).fills.length === 0));
  t.is((await one.client.status()).fills.length, 1, 'the fill itself goes on');
  one.glance.open();
  t.like(await one.filled, {outcome: 'filled'});
});
