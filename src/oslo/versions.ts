/** Which version of each of Nova's object classes the conductors know, as far as they were asked. */
import {covers, type ObjectClass} from './objects.ts';
import {isRemote} from './remote-error.ts';
import {type Agreed, classesOf} from './sealed.ts';

type Agreement = {version: string; epoch: number; at: number};

/** Milliseconds for which an answer is believed: conductors may be replaced by older ones. */
const believed = 600_000;

export class Versions {
  readonly #now: () => number;
  readonly #agreed = new Map<string, Agreement>();
  /** What some conductor called its highest. Others may know more, but any of them may get the next message. */
  readonly #ceilings = new Map<string, {version: string; at: number}>();

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The version to ask for: the highest we know, unless a conductor knows less. */
  wanted({name, version}: ObjectClass): string {
    const ceiling = this.#ceilings.get(name);
    if (ceiling === undefined || !this.#fresh(ceiling)) return version;
    return covers(version, ceiling.version) ? ceiling.version : version;
  }

  /** The versions to ask for, of the class and its parts: `object_versions` of a class action. */
  manifest(of: ObjectClass): Record<string, string> {
    return Object.fromEntries(classesOf(of).map(one => [one.name, this.wanted(one)]));
  }

  /** A conductor of this connection has worked with the version. */
  agree(name: string, version: string, epoch: number): void {
    this.#agreed.set(name, {version, epoch, at: this.#now()});
  }

  /** A conductor knows no more than this version. */
  lower(name: string, version: string): void {
    this.#ceilings.set(name, {version, at: this.#now()});
    this.#agreed.delete(name);
  }

  /** The version that was agreed on over this connection, not too long ago. */
  agreed({name}: ObjectClass, epoch: number | undefined): string | undefined {
    const agreement = this.#agreed.get(name);
    if (agreement === undefined || agreement.epoch !== epoch || !this.#fresh(agreement)) return undefined;
    return agreement.version;
  }

  /** What `sealed` needs for an object of this class; undefined when a class of it was not asked for. */
  all(of: ObjectClass, epoch: number): Agreed | undefined {
    const versions = new Map(classesOf(of).map(one => [one.name, this.agreed(one, epoch)]));
    if ([...versions.values()].includes(undefined)) return undefined;
    return {epoch, versionOf: name => versions.get(name)};
  }

  #fresh({at}: {at: number}): boolean {
    return this.#now() - at <= believed;
  }
}

/** The lower version that a conductor offers instead of the one that was asked for, if that is what the error says. */
export function offeredVersion(error: unknown, name: string, asked: string): string | undefined {
  if (!isRemote(error, 'IncompatibleObjectVersion')) return undefined;
  const {kwargs, message} = error.remote;
  if ((kwargs['objname'] ?? name) !== name) return undefined;
  const supported = kwargs['supported'] ?? /supported version is (\d+\.\d+)/.exec(message)?.[1];
  if (typeof supported !== 'string' || !/^\d{1,9}\.\d{1,9}$/.test(supported)) return undefined;
  return covers(asked, supported) && !covers(supported, asked) ? supported : undefined;
}
