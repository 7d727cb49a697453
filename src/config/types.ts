import {asciiDigits, floatRepr, stringRepr, strip} from './text.ts';

/**
 * What an option's text means. `parse` throws Invalid. `str` and `repr` write a value as Python does, because that is what
 * an interpolation of it puts into other values.
 */
export type ValueType<T> = {
  /** For people: "integer", "list". */
  readonly name: string;
  /** Allowed values in words, where there are bounds. */
  readonly range?: string;
  /** Every assignment counts, not only the last. */
  readonly multi?: boolean;
  parse(text: string): T;
  str(value: T): string;
  repr(value: T): string;
};

/** Why a text is not a value of its type. Never holds the text: it may be a secret. */
export class Invalid extends Error {
  override readonly name = 'Invalid';
}

type Bounds = {min?: number; max?: number};

const plain = {str: (value: string) => value, repr: stringRepr};

/** Any text, as it stands. */
export const string = (): ValueType<string> => ({name: 'string', parse: text => text, ...plain});

/** One of these texts, to the letter. */
export function choice<const C extends string>(choices: readonly C[]): ValueType<C> {
  const parse = (text: string): C => {
    const found = choices.find(one => one === text);
    if (found === undefined) throw new Invalid(`must be one of ${choices.join(', ')}`);
    return found;
  };
  return {name: 'choice', range: choices.join(', '), parse, ...plain};
}

const booleans: Record<string, boolean> = {
  ...{true: true, '1': true, on: true, yes: true},
  ...{false: false, '0': false, off: false, no: false},
};

/** true, 1, on, yes or false, 0, off, no, in any case. The empty text is none of them. */
export function boolean(): ValueType<boolean> {
  const parse = (text: string): boolean => {
    const value = Object.hasOwn(booleans, text.toLowerCase()) ? booleans[text.toLowerCase()] : undefined;
    if (value === undefined) throw new Invalid('must be true, 1, on, yes, false, 0, off or no');
    return value;
  };
  const show = (value: boolean) => (value ? 'True' : 'False');
  return {name: 'boolean', parse, str: show, repr: show};
}

/** A whole number in base 10. The empty text is no number at all: undefined, Python's None. */
export function integer(bounds: Bounds = {}): ValueType<number | undefined> {
  const parse = (text: string): number | undefined => {
    const digits = asciiDigits(strip(text));
    if (digits === '') return undefined;
    if (!/^[+-]?\d(?:_?\d)*$/.test(digits)) throw new Invalid('must be a whole number in base 10');
    const value = within(Number(digits.replaceAll('_', '')), bounds);
    if (!Number.isSafeInteger(value)) throw new Invalid('is too large a number');
    return value + 0;
  };
  const show = (value: number | undefined) => (value === undefined ? 'None' : String(value));
  return {name: 'integer', ...range(bounds), parse, str: show, repr: show};
}

const decimal = /^[+-]?(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?$/i;

/** A number. The empty text is undefined. */
export function float(bounds: Bounds = {}): ValueType<number | undefined> {
  const parse = (text: string): number | undefined => {
    const digits = asciiDigits(strip(text));
    if (digits === '') return undefined;
    return within(floatOf(digits), bounds);
  };
  const show = (value: number | undefined) => (value === undefined ? 'None' : floatRepr(value));
  return {name: 'number', ...range(bounds), parse, str: show, repr: show};
}

function floatOf(text: string): number {
  const named = /^([+-]?)(?:(inf(?:inity)?)|nan)$/i.exec(text);
  if (named !== null) return named[2] === undefined ? Number.NaN : named[1] === '-' ? -Infinity : Infinity;
  if (!decimal.test(text)) throw new Invalid('must be a number');
  return Number(text.replaceAll('_', ''));
}

/** A TCP or UDP port. */
export const port = ({min = 0, max = 65535}: Bounds = {}): ValueType<number | undefined> => ({
  ...integer({min, max}),
  name: 'port',
});

function within(value: number, {min, max}: Bounds): number {
  if (min !== undefined && value < min) throw new Invalid(`must be at least ${min}`);
  if (max !== undefined && value > max) throw new Invalid(`must be at most ${max}`);
  return value;
}

function range({min, max}: Bounds): {range?: string} {
  if (min !== undefined && max !== undefined) return {range: `${min} to ${max}`};
  if (min !== undefined) return {range: `at least ${min}`};
  return max === undefined ? {} : {range: `at most ${max}`};
}

/** Items between commas, each stripped. Quotes and brackets mean nothing; trailing commas go. */
export function list<T>(item: ValueType<T>): ValueType<T[]> {
  const parse = (text: string): T[] => {
    const trimmed = strip(text).replace(/,+$/, '');
    return trimmed === '' ? [] : joinedWhileInvalid(trimmed.split(','), piece => item.parse(strip(piece)));
  };
  const show = (value: T[]) => `[${value.map(one => item.repr(one)).join(', ')}]`;
  return {name: `list of ${item.name}s`, parse, str: show, repr: show};
}

/** `key:value` between commas; the first colon counts. A key twice, or none, is an error. */
export function dict<T>(item: ValueType<T>): ValueType<Map<string, T>> {
  const parse = (text: string): Map<string, T> => {
    const pairs = strip(text) === '' ? [] : joinedWhileInvalid(strip(text).split(','), pairOf(item));
    const result = new Map<string, T>();
    for (const [key, value] of pairs) {
      if (key === '') throw new Invalid('must have a name before each colon');
      if (result.has(key)) throw new Invalid('must not have a name twice');
      result.set(key, value);
    }
    return result;
  };
  const pair = ([key, value]: [string, T]) => `${stringRepr(key)}: ${item.repr(value)}`;
  const show = (value: Map<string, T>) => `{${[...value].map(pair).join(', ')}}`;
  return {name: `name:${item.name} pairs`, parse, str: show, repr: show};
}

const pairOf =
  <T>(item: ValueType<T>) =>
  (piece: string): [string, T] => {
    const at = piece.indexOf(':');
    if (at < 0) throw new Invalid('must be name:value pairs with commas between');
    return [strip(piece.slice(0, at)), item.parse(strip(piece.slice(at + 1)))];
  };

/** A piece that cannot be read is tried again with its right neighbour: the comma may have been part of the item. */
function joinedWhileInvalid<T>(pieces: string[], read: (piece: string) => T): T[] {
  const result: T[] = [];
  let pending: string | undefined;
  pieces.forEach((next, index) => {
    const piece = pending === undefined ? next : `${pending},${next}`;
    try {
      result.push(read(piece));
      pending = undefined;
    } catch (error) {
      if (!(error instanceof Invalid) || index === pieces.length - 1) throw error;
      pending = piece;
    }
  });
  return result;
}

/** Every assignment of the option, in the order of the files, each one item. */
export const multi = <T>(item: ValueType<T>): ValueType<T[]> => ({
  ...list(item),
  name: `${item.name}, may be given several times`,
  multi: true,
  // Of one text; several are parsed one by one and their items put together.
  parse: text => [item.parse(text)],
});

/** The type, without its empty value: for options that must say something. */
export const filled = <T>(type: ValueType<T | undefined>): ValueType<T> => ({
  ...type,
  parse: text => {
    const value = type.parse(text);
    const empty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
    if (empty) throw new Invalid('must not be empty');
    return value as T;
  },
});

/** The name of a Ceph pool, as it can stand in `pool/image@snapshot` and in a list. */
export function pool(): ValueType<string> {
  const parse = (text: string): string => {
    if (!/^[^\s,/@]+$/.test(text)) throw new Invalid('must be the name of a pool, without white space, comma, / or @');
    return text;
  };
  return {name: 'pool name', parse, ...plain};
}

/** Permission bits, in octal as chmod(1) takes them. */
export function mode(): ValueType<number> {
  const parse = (text: string): number => {
    if (!/^0?[0-7]{3}$/.test(text)) throw new Invalid('must be three octal digits such as 0660');
    return Number.parseInt(text, 8);
  };
  const show = (value: number) => value.toString(8).padStart(4, '0');
  return {name: 'octal mode', parse, str: show, repr: show};
}

/** A UUID in its usual form; letters become lower case, as Ceph and Nova print them. */
export function uuid(): ValueType<string> {
  const parse = (text: string): string => {
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new Invalid('must be a UUID');
    return text.toLowerCase();
  };
  return {name: 'UUID', parse, ...plain};
}
