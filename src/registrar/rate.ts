/** How often one peer may ask: so many requests at once, and as many a minute from then on. */
import {isIPv6} from 'node:net';

const minute = 60_000;

/** Peers that are remembered. One that is forgotten begins anew, so that an attacker with many addresses costs no memory. */
const mostPeers = 10_000;

type Bucket = {left: number; at: number};

export class Rate {
  readonly #perMinute: number;
  readonly #peers = new Map<string, Bucket>();

  /** 0: any number. */
  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Counts a request; milliseconds until the next one is welcome, or 0 when this one is. `now` is a monotonic clock's. */
  take(peer: string, now: number): number {
    if (this.#perMinute === 0) return 0;
    const known = this.#peers.get(peer) ?? {left: this.#perMinute, at: now};
    const left = Math.min(this.#perMinute, known.left + ((now - known.at) * this.#perMinute) / minute);
    const welcome = left >= 1;
    this.#peers.delete(peer); // and to the end: the first is the one that has not asked for the longest time
    this.#peers.set(peer, {left: welcome ? left - 1 : left, at: now});
    if (this.#peers.size > mostPeers) this.#peers.delete(this.#peers.keys().next().value ?? '');
    return welcome ? 0 : Math.ceil(((1 - left) * minute) / this.#perMinute);
  }

  get size(): number {
    return this.#peers.size;
  }
}

/** An address as one peer: of IPv6 its /64, which is one host's. */
export function peerOf(address: string | undefined): string {
  const plain = (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::', 2);
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({length: Math.max(0, 8 - first.length - last.length)}, () => '0');
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`;
}
