import {stringRepr, strip} from './text.ts';
import {Invalid, type ValueType} from './types.ts';

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
