/** The processes of the simulated hosts, driven together. */
import {type ChildProcess, fork} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import type {GlanceCounts} from './glance.ts';
import type {Answer, Boots, Call, HostsOptions, Work} from './hosts.ts';

const file = fileURLToPath(new URL('hosts.ts', import.meta.url));

type Member = {child: ChildProcess; hosts: string[]; ended: Promise<unknown>};

/** `hosts` are divided among so many processes. */
export class Fleet implements AsyncDisposable {
  readonly hosts: number;
  #members: Member[];
  #calls = 0;
  /** Told when a host of a process begins a fill. */
  onFilling: (process: number, host: string) => void = () => {};

  constructor(count: number, processes: number, options: Omit<HostsOptions, 'hosts'>) {
    this.hosts = count;
    const names = Array.from({length: count}, (_, n) => `host${n + 1}`);
    this.#members = Array.from({length: processes}, (_, k) => {
      const hosts = names.filter((_, n) => n % processes === k);
      const child = fork(file, [JSON.stringify({...options, hosts} satisfies HostsOptions)], {stdio: 'inherit'});
      child.setMaxListeners(0);
      child.on('message', (said: Answer) => 'filling' in said && this.onFilling(k, said.filling));
      return {child, hosts, ended: once(child, 'exit')};
    });
  }

  /** Bytes of resident memory of all processes. */
  async connect(): Promise<number> {
    const sizes = await this.#all('connect', () => undefined);
    return sizes.reduce((sum, {residentBytes}) => sum + residentBytes, 0);
  }

  /** `hosts` of the fleet each make so many disks, all at once. Of a process that is killed meanwhile nothing is told. */
  async boot(hosts: number, options: {image: string; disks: number; prefix: string}): Promise<Boots> {
    const each = await this.#all('boot', k => ({...options, hosts: this.#share(hosts, k)}));
    const all: Boots = {ms: [], outcomes: {}, failed: []};
    for (const {ms, outcomes, failed} of each) {
      all.ms.push(...ms);
      all.failed.push(...failed);
      for (const [name, count] of Object.entries(outcomes)) all.outcomes[name] = (all.outcomes[name] ?? 0) + count;
    }
    return all;
  }

  flush = async (): Promise<unknown> => this.#all('flush', () => undefined);

  /** How many of them were the janitor: at most one at a time. */
  async sweep(hosts: number): Promise<number> {
    const done = await this.#all('sweep', k => ({hosts: this.#share(hosts, k)}));
    return done.reduce((sum, one) => sum + one, 0);
  }

  holdJanitor = (): Promise<boolean> => this.#ask(this.#first(), 'holdJanitor', undefined);

  releaseJanitor = (): Promise<void> => this.#ask(this.#first(), 'releaseJanitor', undefined);

  async counts(): Promise<GlanceCounts> {
    const each = await this.#all('counts', () => undefined);
    const sum = (name: keyof GlanceCounts) => each.reduce((all, one) => all + one[name], 0);
    return {records: sum('records'), lists: sum('lists'), downloads: sum('downloads')};
  }

  /** SIGKILL to one process with all its hosts. */
  async kill(process: number): Promise<void> {
    const member = this.#members[process];
    member?.child.kill('SIGKILL');
    await member?.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => {
      for (const {child} of this.#members) child.kill('SIGKILL');
    }, 30_000);
    await this.#all('close', () => undefined).catch(() => {});
    await Promise.all(this.#members.map(({ended}) => ended));
    clearTimeout(timer);
  }

  /** Of so many hosts, those of process k: host n lives in process n % processes. */
  #share(hosts: number, k: number): number {
    return Math.floor((hosts - 1 - k + this.#members.length) / this.#members.length);
  }

  #first(): Member {
    const [member] = this.#members;
    if (member === undefined) throw new Error('the fleet has no processes');
    return member;
  }

  async #all<N extends keyof Work>(
    name: N,
    options: (process: number) => unknown,
  ): Promise<Awaited<ReturnType<Work[N]>>[]> {
    const alive = this.#members.map((member, k) => ({member, k})).filter(({member: {child}}) => child.connected);
    const gone = Symbol();
    const each = await Promise.all(
      alive.map(({member, k}) =>
        this.#ask(member, name, options(k)).catch(error => (member.child.killed ? gone : Promise.reject(error))),
      ),
    );
    return each.filter(one => one !== gone) as Awaited<ReturnType<Work[N]>>[];
  }

  async #ask<N extends keyof Work>(
    {child, ended}: Member,
    name: N,
    options: unknown,
  ): Promise<Awaited<ReturnType<Work[N]>>> {
    const id = ++this.#calls;
    const {promise, resolve, reject} = Promise.withResolvers<Awaited<ReturnType<Work[N]>>>();
    const listen = (said: Answer) => {
      if (!('id' in said) || said.id !== id) return;
      if (said.error === undefined) resolve(said.value as Awaited<ReturnType<Work[N]>>);
      else reject(new Error(`${name}: ${said.error}`));
    };
    child.on('message', listen);
    ended.then(() => reject(new Error(`${name}: the process ended`)));
    child.send({id, name, options} satisfies Call);
    try {
      return await promise;
    } finally {
      child.off('message', listen);
    }
  }
}
