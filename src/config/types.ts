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
