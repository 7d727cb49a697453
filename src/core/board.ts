import type {Bulletin} from './bulletin.ts';
import {parseBulletin} from './bulletin.ts';
import {fillLease} from './fill.ts';
import type {Follower} from './ports.ts';
import type {World} from './world.ts';

/** A fill of the cell, by whichever host. */
export type FillView = {
  image: string;
  generation: string;
  /** filling: somebody holds its lease. left: nobody does; its filler died, or has just ended. */
  state: 'filling' | 'left';
  /** Who fills, in its own words; null until it was heard. */
  host: string | null;
  /** Bytes of the image's file; null until they were heard. */
  received: number | null;
  size: number | null;
};

/** More are not looked at: a look must not take long. */
const mostFills = 64;

/** ms that a look waits for the first word of a filler that was not followed yet: one that moves tells every half second. */
const firstWord = 1500;

/** ms after the last look until nobody is followed any more. */
const idle = 15_000;

type Followed = {generation: string; last: Bulletin | undefined; heard: Promise<void>; stop: AbortController};

/** The fills of the cell, followed for as long as somebody looks: what fillers tell is written down nowhere. */
export class FillBoard {
  readonly #world: World;
  readonly #followed = new Map<string, Followed>();
  #timer: NodeJS.Timeout | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** What runs now, by the index's claims, with what was heard of each. */
  async look(signal: AbortSignal): Promise<FillView[]> {
    const {index, leases} = this.#world.cell;
    const claims = (await index.claims(signal)).slice(0, mostFills);
    this.#keep(claims);
    const held = await Promise.all(claims.map(({image}) => leases.holder(fillLease(image), signal)));
    await Promise.all(claims.map(({image}) => this.#followed.get(image)?.heard));
    signal.throwIfAborted();
    return claims.map(({image, generation}, place) => {
      const {host = null, received = null, size = null} = this.#followed.get(image)?.last ?? {};
      return {image, generation, state: held[place] === undefined ? 'left' : 'filling', host, received, size};
    });
  }

  /** Follows nobody any more. */
  close(): void {
    clearTimeout(this.#timer);
    for (const {stop} of this.#followed.values()) stop.abort();
    this.#followed.clear();
  }

  #keep(claims: {image: string; generation: string}[]): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), idle).unref();
    const now = new Map(claims.map(({image, generation}) => [image, generation]));
    for (const [image, {generation, stop}] of this.#followed) {
      if (now.get(image) === generation) continue;
      stop.abort();
      this.#followed.delete(image);
    }
    for (const [image, generation] of now) if (!this.#followed.has(image)) this.#follow(image, generation);
  }

  #follow(image: string, generation: string): void {
    const word = Promise.withResolvers<void>();
    const stop = new AbortController();
    const one: Followed = {generation, last: undefined, heard: word.promise, stop};
    this.#followed.set(image, one);
    const late = setTimeout(word.resolve, firstWord);
    const hear = (bulletin: Bulletin) => {
      if (bulletin.generation === generation) one.last = bulletin;
      word.resolve();
    };
    void this.#listen(image, hear, stop.signal).finally(() => {
      clearTimeout(late);
      word.resolve();
      if (this.#followed.get(image) === one) this.#followed.delete(image); // the next look begins anew
    });
  }

  async #listen(image: string, hear: (bulletin: Bulletin) => void, signal: AbortSignal): Promise<void> {
    let follower: Follower | undefined;
    try {
      follower = await this.#world.cell.leases.follow(fillLease(image), signal);
      if (follower === undefined) return;
      await using following = follower;
      for (;;) {
        const heard = await following.next(idle, signal);
        if (heard === 'ended') return;
        const bulletin = typeof heard === 'object' ? parseBulletin(heard.told, image) : undefined;
        if (bulletin !== undefined) hear(bulletin);
      }
    } catch {
      // nobody looks any more, or the cluster does not answer: the next look says so
    }
  }
}
