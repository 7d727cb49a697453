import {setTimeout as sleep} from 'node:timers/promises';
import {parseBulletin} from './bulletin.ts';
import type {Follower} from './ports.ts';
import type {Progress} from './request.ts';
import type {Flight} from './single-flight.ts';
import type {World} from './world.ts';

/** A holder that is silent is looked at after so many times `waitPoll`, and one that talks after so many: it may be talking of nothing. */
const silent = 2;
const talking = 15;

/**
 * Waits until it is worth to look at a fill of another host again: it has ended, well or not, or nothing was heard of it for a
 * while. Its progress is reported meanwhile. Where the lease cannot be followed, that is after `waitPoll`; after `most` ms in any case.
 */
export async function awaitFill(
  image: string,
  lease: string,
  {cell, limits}: World,
  {signal, report, most}: Flight<Progress> & {most: number},
): Promise<void> {
  const poll = limits.waitPoll * (0.75 + Math.random() / 2);
  let follower: Follower | undefined;
  try {
    follower = await cell.leases.follow(lease, signal);
  } catch {
    return void (await sleep(Math.min(poll, most), undefined, {signal}));
  }
  if (follower === undefined) return; // it ended just now
  await using following = follower;
  const end = performance.now() + Math.min(talking * poll, most);
  for (let left = end - performance.now(); left > 0; left = end - performance.now()) {
    const heard = await following.next(Math.min(silent * poll, left), signal);
    if (typeof heard !== 'object') return;
    const bulletin = parseBulletin(heard.told, image);
    if (bulletin !== undefined) report({image, received: bulletin.received, size: bulletin.size});
  }
}
