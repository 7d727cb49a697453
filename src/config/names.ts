import {isIP} from 'node:net';
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

export type Address = {host: string; port: number};

/** An IP address and a TCP port to listen on; empty: none. An IPv6 address stands in brackets. */
export function address(): ValueType<Address | undefined> {
  const parse = (text: string): Address | undefined => {
    if (text === '') return undefined;
    const [, bracketed, plainHost, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
    const host = bracketed ?? plainHost ?? '';
    const port = Number(digits);
    const family = bracketed === undefined ? 4 : 6;
    if (isIP(host) !== family || host.includes('%') || port < 1 || port > 65535)
      throw new Invalid('must be an IP address and a port such as 127.0.0.1:9292 or [::1]:9292');
    return {host, port};
  };
  const show = (value: Address | undefined) => (value === undefined ? '' : formatAddress(value));
  return {name: 'address:port', parse, str: show, repr: value => stringRepr(show(value))};
}

export const formatAddress = ({host, port}: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
