/**
 * Which objects may be sent. A conductor that gets an object newer than it knows asks a conductor, itself, to translate
 * it, with the same object, again and again, until no worker is left: one such message stops the whole cell. So a message
 * may hold only objects that were sealed here: with versions that the conductor has agreed to, on this very connection.
 */
import {CellarError} from '../core/errors.ts';
import {
  covers,
  Draft,
  isPrimitive,
  isRecord,
  type ObjectClass,
  type Primitive,
  primitive,
  writeTime,
} from './objects.ts';

/** The version of each class that was agreed on over one connection. */
export type Agreed = {epoch: number; versionOf(name: string): string | undefined};

declare const seal: unique symbol;

/** A primitive whose version is agreed on, and of whose parts too. Only `sealed` makes one. */
export type Sealed = Primitive & {readonly [seal]: true};

const epochs = new WeakMap<object, number>();

/** Makes the primitive of a draft with the agreed versions. Fields that the agreed version does not have are left out. */
export function sealed(draft: Draft, agreed: Agreed): Sealed {
  const {of, data, changes} = draft;
  const highest = agreed.versionOf(of.name);
  if (highest === undefined || !covers(of.version, highest)) {
    throw new CellarError('internal', `no version of ${of.name} was agreed on with the conductor`);
  }
  const kept = (field: string) => covers(highest, of.since?.[field] ?? highest);
  const fields = Object.entries(data).filter(([field, value]) => kept(field) && value !== undefined);
  const made = primitive(
    of.name,
    lowest(
      of,
      fields.map(([field]) => field),
      highest,
    ),
    Object.fromEntries(fields.map(([field, value]) => [field, encoded(value, agreed, 0)])),
    changes.filter(kept),
  );
  Object.freeze(made['nova_object.data']);
  epochs.set(Object.freeze(made), agreed.epoch);
  return made as Sealed;
}

/** The connection that these arguments are good for, or undefined when they hold no object. Throws for an object that is not sealed. */
export function epochOf(args: unknown, depth = 0): number | undefined {
  if (depth > depthLimit) throw new CellarError('internal', 'the arguments are nested too deeply');
  if (typeof args !== 'object' || args === null) return undefined;
  const known = epochs.get(args);
  if (known !== undefined) return known;
  if (isPrimitive(args)) {
    throw new CellarError('internal', `${String(args['nova_object.name'])} is not of a version that was agreed on`);
  }
  const found = new Set(Object.values(args).map(value => epochOf(value, depth + 1)));
  found.delete(undefined);
  if (found.size > 1) throw new CellarError('internal', 'the arguments hold objects of two connections');
  return [...found][0];
}

const depthLimit = 32;

/** The lowest version that has these fields, where the class says so much. */
function lowest({oldest, since}: ObjectClass, fields: string[], highest: string): string {
  if (oldest === undefined || !covers(highest, oldest)) return highest;
  return fields.reduce((low, field) => {
    const version = since?.[field] ?? oldest;
    return covers(low, version) ? low : version;
  }, oldest);
}

function encoded(value: unknown, agreed: Agreed, depth: number): unknown {
  if (depth > depthLimit) throw new CellarError('internal', 'the object is nested too deeply');
  if (value instanceof Draft) return sealed(value, agreed);
  if (value instanceof Date) return writeTime(value);
  if (Array.isArray(value)) return Object.freeze(value.map(one => encoded(one, agreed, depth + 1)));
  if (!isRecord(value)) return value;
  if (isPrimitive(value)) throw new CellarError('internal', 'an object within an object is to be a draft too');
  return Object.freeze(
    Object.fromEntries(Object.entries(value).map(([name, one]) => [name, encoded(one, agreed, depth + 1)])),
  );
}

/** A class and those of its parts, each once. */
export function classesOf(of: ObjectClass, found: Map<string, ObjectClass> = new Map()): ObjectClass[] {
  if (!found.has(of.name)) {
    found.set(of.name, of);
    for (const part of of.parts ?? []) classesOf(part, found);
  }
  return [...found.values()];
}
