import {stringRepr} from './text.ts';
import {Invalid, type ValueType} from './types.ts';

const plain = {str: (value: string) => value, repr: stringRepr};

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
