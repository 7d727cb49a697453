import {hostDomain, uri} from '../../src/config/addresses.ts';
import {dict, list, multi} from '../../src/config/containers.ts';
import {type Deprecated, novas, type Table} from '../../src/config/option.ts';
import {floatRepr} from '../../src/config/text.ts';
import {boolean, choice, float, integer, port, string, type ValueType} from '../../src/config/types.ts';
import type {Encoded} from './oslo.ts';

/** A type that both sides can make. */
export type Spec =
  | {kind: 'string' | 'boolean' | 'host' | 'uri'}
  | {kind: 'integer' | 'float' | 'port'; min?: number; max?: number}
  | {kind: 'choice'; choices: string[]}
  | {kind: 'list' | 'dict' | 'multi'; item: Spec};

/** An option that both sides can have. */
export type TestOption = {
  group: string;
  name: string;
  type: Spec;
  default?: string | string[];
  deprecated?: Deprecated[];
  /** May stand on the command line. */
  cli?: boolean;
};

/** Our table of such options. */
export function tableOf(options: readonly TestOption[]): Table {
  const table: Table = {};
  for (const {group, name, type, default: text, deprecated = []} of options) {
    const option = {...novas(typeOf(type), {default: text ?? '', deprecated, help: '', reason: ''}), default: text};
    table[group] = {...table[group], [name]: option};
  }
  return table;
}

function typeOf(spec: Spec): ValueType<unknown> {
  switch (spec.kind) {
    case 'string':
      return string();
    case 'boolean':
      return boolean();
    case 'host':
      return hostDomain();
    case 'uri':
      return uri();
    case 'integer':
      return integer(spec);
    case 'float':
      return float(spec);
    case 'port':
      return port(spec);
    case 'choice':
      return choice(spec.choices);
    case 'list':
      return list(typeOf(spec.item));
    case 'dict':
      return dict(typeOf(spec.item));
    case 'multi':
      return multi(typeOf(spec.item));
  }
}

/** A value of ours as oslo_driver.py writes the same value. */
export function encode(value: unknown, spec: Spec): Encoded {
  if (value === undefined) return null;
  if (typeof value === 'number') return spec.kind === 'float' ? {float: floatRepr(value)} : {int: String(value)};
  const item = 'item' in spec ? spec.item : spec;
  if (Array.isArray(value)) return value.map(one => encode(one, item));
  if (value instanceof Map) return {dict: [...value].map(([key, one]) => [String(key), encode(one, item)])};
  return value as string | boolean;
}
