/**
 * Memory that sockets are read into, used again. What a read brought is a slice; small ones share a slab. Nothing is ever written
 * to bytes of a slice that was not given back: a slab is used again when it has no room and all its slices came back, and a
 * slab of which one never does is the garbage collector's, like any other memory.
 */

/** Bytes of one slab: what a socket has at most when it is looked at, as a rule. */
const slabSize = 256 * 1024;
/** Less is not worth a system call. */
const leastRoom = slabSize / 4;
/** Slabs kept for another use, of all connections together: about as many as one body has in flight. */
const mostFree = 40;

type Slab = {
  readonly memory: Buffer;
  /** Bytes at its begin that belong to slices. */
  used: number;
  /** Slices that are not given back. */
  held: number;
  /** Nobody reads into it any more. */
  full: boolean;
};

/** The slabs of a process, or of whatever part of it shares them. */
export class Slabs {
  readonly #free: Slab[] = [];
  readonly #owners = new WeakMap<Uint8Array, Slab>();

  /** A place to read into, for one connection. */
  reader(): SlabReader {
    return new SlabReader(
      () => this.#free.pop() ?? {memory: Buffer.allocUnsafeSlow(slabSize), used: 0, held: 0, full: false},
      (slice, slab) => this.#owners.set(slice, slab),
      slab => this.#reuse(slab),
    );
  }

  /** Takes a slice back, which nobody may look at any more. Of anything else, and the second time, it does nothing. */
  readonly recycle = (slice: Uint8Array): void => {
    const slab = this.#owners.get(slice);
    if (slab === undefined) return;
    this.#owners.delete(slice);
    slab.held -= 1;
    this.#reuse(slab);
  };

  /** Slabs that wait for another use. */
  get free(): number {
    return this.#free.length;
  }

  #reuse(slab: Slab): void {
    if (!slab.full || slab.held > 0 || this.#free.length === mostFree) return;
    Object.assign(slab, {used: 0, full: false});
    this.#free.push(slab);
  }
}

/** Reads come one after the other: `room`, some bytes at its begin, `take` or not, `room` again. */
class SlabReader {
  readonly #next: () => Slab;
  readonly #own: (slice: Uint8Array, slab: Slab) => void;
  readonly #done: (slab: Slab) => void;
  #slab: Slab;

  constructor(next: () => Slab, own: (slice: Uint8Array, slab: Slab) => void, done: (slab: Slab) => void) {
    this.#next = next;
    this.#own = own;
    this.#done = done;
    this.#slab = next();
  }

  /** Where the next read goes. What the room of before had and was not taken is lost. */
  room(): Buffer {
    const slab = this.#slab;
    if (slabSize - slab.used < leastRoom) {
      this.#slab = this.#next(); // before the other is given away: they are never the same
      slab.full = true;
      this.#done(slab);
    }
    return this.#slab.memory.subarray(this.#slab.used);
  }

  /** The first bytes of the room, as a slice of their own; they stay what they are until it is recycled. */
  take(length: number): Buffer {
    const slab = this.#slab;
    const slice = slab.memory.subarray(slab.used, slab.used + length);
    slab.used += length;
    slab.held += 1;
    this.#own(slice, slab);
    return slice;
  }

  /** The same bytes as a copy: the room stays as large as it is. */
  copy(length: number): Buffer {
    return Buffer.from(this.#slab.memory.subarray(this.#slab.used, this.#slab.used + length));
  }
}

export type {SlabReader};
