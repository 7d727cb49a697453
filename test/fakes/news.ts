import {type Follower, type Heard, mostTold} from '../../src/core/ports.ts';

/** What is told of leases, by name, and those who follow them. */
export class FakeNews {
  readonly following = new Map<string, Set<FakeFollower>>();
  readonly #last = new Map<string, string>();

  tell(name: string, news: string): void {
    this.#last.set(name, news);
    for (const follower of this.#of(name)) follower.hear({told: cut(news)});
  }

  end(name: string): void {
    this.#last.delete(name);
    for (const follower of this.#of(name)) follower.hear('ended');
    this.following.delete(name);
  }

  follow(name: string): Follower {
    const follower: FakeFollower = new FakeFollower(() => this.#leave(name, follower));
    this.following.set(name, new Set([...this.#of(name), follower]));
    const last = this.#last.get(name);
    if (last !== undefined) follower.hear({told: cut(last)});
    return follower;
  }

  #leave(name: string, follower: FakeFollower): void {
    const all = this.following.get(name);
    all?.delete(follower);
    if (all?.size === 0) this.following.delete(name);
  }

  #of = (name: string): Set<FakeFollower> => this.following.get(name) ?? new Set();
}

class FakeFollower implements Follower {
  readonly #leave: () => void;
  readonly #heard: Heard[] = [];
  #wake: (() => void) | undefined;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  hear(heard: Heard): void {
    this.#heard.push(heard);
    this.#wake?.();
  }

  async next(ms: number, signal: AbortSignal): Promise<Heard> {
    signal.throwIfAborted();
    if (this.#heard.length === 0) await this.#wait(ms, signal);
    signal.throwIfAborted();
    const [first] = this.#heard;
    if (first !== 'ended') this.#heard.shift();
    return first ?? 'nothing';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hear('ended');
    this.#leave();
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const {promise, resolve} = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    signal.addEventListener('abort', () => resolve(), {once: true});
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }
}

const cut = (news: string): string => Buffer.from(news).toString('utf8', 0, mostTold);
