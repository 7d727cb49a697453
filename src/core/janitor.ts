import {setTimeout as sleep} from 'node:timers/promises';
import {retireDeleted} from './deleted.ts';
import {asCellarError} from './errors.ts';
import type {JanitorStep} from './events.ts';
import {fillLeases} from './fill.ts';
import type {Lease} from './ports.ts';
import {recover} from './recover.ts';
import {makeRoom, removeRetired} from './retire.ts';
import type {World} from './world.ts';

const janitorLease = 'cellar.janitor';

/**
 * Until the signal aborts: every agent writes down its own usage; the rest is done by one of them for the whole cell. Who gets the
 * lease keeps it, so that a cell of many hosts is swept as often as one of few; when it dies another takes over. Never fails.
 */
export async function keepSweeping(world: World, signal: AbortSignal): Promise<void> {
  let held: Lease | undefined;
  try {
    for (;;) {
      await sleep(world.limits.janitorInterval * (0.75 + Math.random() / 2), undefined, {signal}).catch(() => {});
      if (signal.aborted) return;
      await step('writing usage', world, signal, () => world.usage.flush(world.cell.usage, signal));
      if (held?.lost.aborted) held = undefined;
      held ??= await elect(world, signal);
      if (held !== undefined) await round(world, AbortSignal.any([signal, held.lost]));
    }
  } finally {
    await held?.release();
  }
}

/** One round, if nobody else is the janitor. Never fails. */
export async function sweep(world: World, signal: AbortSignal): Promise<boolean> {
  const held = await elect(world, signal);
  if (held === undefined) return false;
  try {
    await round(world, AbortSignal.any([signal, held.lost]));
  } finally {
    await held.release();
  }
  return true;
}

async function elect(world: World, signal: AbortSignal): Promise<Lease | undefined> {
  let held: Lease | undefined;
  await step('electing', world, signal, async () => {
    held = await world.cell.leases.acquire(janitorLease, signal);
  });
  return held;
}

/** What dead fillers and makers left; copies of images that Glance has deleted, and copies over the limits; retired copies without clones. */
async function round(world: World, signal: AbortSignal): Promise<void> {
  await step('recovery', world, signal, () => recover(world, signal));
  await step('leases', world, signal, () => removeLeases(world, signal));
  await step('deleted images', world, signal, () => retireDeleted(world, signal));
  await step('limits', world, signal, () => makeRoom(0, world, signal));
  await step('retired copies', world, signal, () => removeRetired(world, signal));
  await step('usage', world, signal, () => forgetUsage(world, signal));
  if (!signal.aborted) world.emit({type: 'janitor-done'});
}

/** A step that fails does not keep the others. */
async function step(name: JanitorStep, {emit}: World, signal: AbortSignal, act: () => Promise<unknown>): Promise<void> {
  if (signal.aborted) return;
  try {
    await act();
  } catch (error) {
    if (!signal.aborted) emit({type: 'janitor-failed', step: name, error: asCellarError(error)});
  }
}

/** The objects of fills' leases that a dead holder left: whoever takes one and gives it back takes the object away. */
async function removeLeases({cell: {leases}}: World, signal: AbortSignal): Promise<void> {
  for (const name of await leases.list(fillLeases, signal)) {
    if ((await leases.holder(name, signal)) !== undefined) continue;
    await (await leases.acquire(name, signal))?.release();
  }
}

/** Of images without a copy. The usage is read first: an image that gets its copy in between has no usage yet. */
async function forgetUsage({cell: {usage, index}}: World, signal: AbortSignal): Promise<void> {
  const used = await usage.list(signal);
  const cached = new Set((await index.list(signal)).map(({image}) => image));
  const gone = [...used.keys()].filter(image => !cached.has(image));
  if (gone.length > 0) await usage.forget(gone, signal);
}
