/** Nova's versioned objects: what stands in messages (primitives), and what we make them of (drafts). Pure. */
import {CellarError} from '../core/errors.ts';

/** A class of Nova's objects as we know it. */
export type ObjectClass = {
  name: string;
  /** The highest version we know. A conductor may know a lower one, and must never get a higher one. */
  version: string;
  /**
   * The version that has all fields but those of `since`. When given, an object goes out in the lowest version that has
   * its fields: then conductors of two releases, in the middle of an upgrade, understand it alike.
   */
  oldest?: string;
  /** Fields that came later: field -> version. A conductor that is older gets the object without them. */
  since?: Readonly<Record<string, string>>;
  /** Classes of the objects in its fields. */
  parts?: readonly ObjectClass[];
};

export type Primitive = {
  'nova_object.name': string;
  'nova_object.namespace': string;
  'nova_object.version': string;
  'nova_object.data': Record<string, unknown>;
  'nova_object.changes'?: string[];
};

/** An object as it was read. */
export type NovaObject = {name: string; version: string; data: Record<string, unknown>; changes: string[]};

/** An object to be sent, without a version: it gets the one that was agreed on with the conductor. */
export class Draft {
  readonly of: ObjectClass;
  /** Values are JSON, Dates and Drafts. Only fields that are set. */
  readonly data: Readonly<Record<string, unknown>>;
  /** The fields that a create() or save() writes. */
  readonly changes: readonly string[];

  constructor(of: ObjectClass, data: Record<string, unknown>, changes: readonly string[] = Object.keys(data)) {
    this.of = of;
    this.data = data;
    this.changes = changes;
  }
}

export const primitive = (
  name: string,
  version: string,
  data: Record<string, unknown>,
  changes: readonly string[] = [],
): Primitive => ({
  'nova_object.name': name,
  'nova_object.namespace': 'nova',
  'nova_object.version': version,
  'nova_object.data': data,
  ...(changes.length > 0 ? {'nova_object.changes': [...changes]} : {}),
});

/** Is it meant to be an object? The other side takes it for one. */
export const isPrimitive = (value: unknown): value is Primitive => isRecord(value) && 'nova_object.name' in value;

/** The object in an answer. `unavailable` when it is none, of another class, or older than what we can work with. */
export function readObject(value: unknown, name: string, minVersion = '1.0'): NovaObject {
  if (!isPrimitive(value)) throw unreadable(name, 'it is not an object');
  const {
    'nova_object.name': found,
    'nova_object.namespace': namespace,
    'nova_object.version': version,
    'nova_object.data': data,
    'nova_object.changes': changes = [],
  } = value;
  if (found !== name || namespace !== 'nova') throw unreadable(name, `it is of ${shown(namespace)} ${shown(found)}`);
  if (typeof version !== 'string' || !/^\d{1,9}\.\d{1,9}$/.test(version)) throw unreadable(name, 'it has no version');
  if (!covers(version, minVersion)) throw unreadable(name, `its version is ${version}, and ${minVersion} is needed`);
  if (!isRecord(data)) throw unreadable(name, 'it has no data');
  if (!Array.isArray(changes) || changes.some(field => typeof field !== 'string')) {
    throw unreadable(name, 'its changes are not names of fields');
  }
  return {name, version, data, changes};
}

/** The objects of a list object. */
export function readList(value: unknown, list: string, item: string, minVersion = '1.0'): NovaObject[] {
  const {objects} = readObject(value, list).data;
  if (!Array.isArray(objects)) throw unreadable(list, 'it has no objects');
  return objects.map(one => readObject(one, item, minVersion));
}

/** A time of Nova's, which is UTC with or without a Z. */
export function readTime(value: unknown): Date {
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)?$/.test(value)) {
    const time = new Date(`${value.replace(/Z$|\+00:00$/, '')}Z`);
    if (!Number.isNaN(time.getTime())) return time;
  }
  throw new CellarError('unavailable', "the answer is not Nova's: a time is expected");
}

/** As Nova writes times: whole seconds, UTC. */
export const writeTime = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

/** The same major version and at least this minor one. */
export function covers(version: string, wanted: string): boolean {
  const [major, minor] = parts(version);
  const [wantedMajor, wantedMinor] = parts(wanted);
  return major === wantedMajor && minor >= wantedMinor;
}

function parts(version: string): [number, number] {
  const [major = '', minor = ''] = version.split('.');
  return [Number(major), Number(minor)];
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Of a bounded length. Not String(), which throws for what has a `toString` of its own, and JSON may have one. */
const shown = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 100) : typeof value);

const unreadable = (name: string, why: string) =>
  new CellarError('unavailable', `the answer is not Nova's: ${name} is expected: ${why}`);
