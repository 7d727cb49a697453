import type {TestOption} from './specs.ts';

/** Options of every type, with every kind of default and old name. */
export const everything: TestOption[] = [
  {group: 'DEFAULT', name: 'host', type: {kind: 'host'}, default: 'node-1'},
  {group: 'DEFAULT', name: 'text', type: {kind: 'string'}},
  {group: 'DEFAULT', name: 'path', type: {kind: 'string'}, default: '/var/$text/$alpha.text'},
  {group: 'DEFAULT', name: 'flag', type: {kind: 'boolean'}, default: 'false'},
  {group: 'DEFAULT', name: 'count', type: {kind: 'integer', min: 0, max: 100}, default: '7'},
  {group: 'DEFAULT', name: 'size', type: {kind: 'integer'}},
  {group: 'DEFAULT', name: 'rate', type: {kind: 'float'}},
  {group: 'DEFAULT', name: 'ratio', type: {kind: 'float', min: 0.5, max: 2}, default: '1'},
  {group: 'DEFAULT', name: 'names', type: {kind: 'list', item: {kind: 'string'}}, default: 'a, b'},
  {group: 'DEFAULT', name: 'numbers', type: {kind: 'list', item: {kind: 'integer', max: 50}}},
  {group: 'DEFAULT', name: 'rates', type: {kind: 'list', item: {kind: 'float'}}},
  {group: 'DEFAULT', name: 'pairs', type: {kind: 'dict', item: {kind: 'string'}}},
  {group: 'DEFAULT', name: 'flags', type: {kind: 'dict', item: {kind: 'boolean'}}},
  {group: 'DEFAULT', name: 'many', type: {kind: 'multi', item: {kind: 'string'}}, default: ['m1', '$text']},
  {group: 'DEFAULT', name: 'api_port', type: {kind: 'port'}},
  {group: 'DEFAULT', name: 'url', type: {kind: 'uri'}},
  {group: 'DEFAULT', name: 'color', type: {kind: 'choice', choices: ['red', 'green', 'Blue']}, default: 'red'},
  {group: 'DEFAULT', name: 'same', type: {kind: 'string'}},
  {group: 'DEFAULT', name: 'moved_in', type: {kind: 'string'}, deprecated: [{group: 'alpha', name: 'was_here'}]},
  {group: 'alpha', name: 'text', type: {kind: 'string'}, default: '$beta.text'},
  {group: 'alpha', name: 'same', type: {kind: 'string'}},
  {group: 'alpha', name: 'flag', type: {kind: 'boolean'}},
  {group: 'alpha', name: 'count', type: {kind: 'integer'}, deprecated: [{name: 'number'}]},
  {group: 'alpha', name: 'names', type: {kind: 'list', item: {kind: 'string'}}, default: '$text'},
  {
    group: 'alpha',
    name: 'many',
    type: {kind: 'multi', item: {kind: 'string'}},
    deprecated: [{name: 'many_old'}, {group: 'beta', name: 'many_older'}],
  },
  {group: 'alpha', name: 'sizes', type: {kind: 'multi', item: {kind: 'integer'}}},
  {
    group: 'alpha',
    name: 'renamed',
    type: {kind: 'string'},
    default: 'new',
    deprecated: [{name: 'old_name'}, {group: 'beta', name: 'older'}, {group: 'DEFAULT', name: 'oldest'}],
  },
  {group: 'alpha', name: 'regrouped', type: {kind: 'string'}, deprecated: [{group: 'old_group'}]},
  {group: 'alpha', name: 'dashed', type: {kind: 'string'}, deprecated: [{name: 'da-shed'}, {name: 'da_shed'}]},
  {group: 'beta', name: 'text', type: {kind: 'string'}, default: 'bt'},
  {group: 'beta', name: 'self', type: {kind: 'string'}},
  {group: 'beta', name: 'host', type: {kind: 'host'}, default: '$host'},
  {group: 'beta', name: 'color', type: {kind: 'choice', choices: ['red', 'green', 'Blue']}},
  {group: 'beta', name: 'was_in_alpha', type: {kind: 'string'}, deprecated: [{group: 'alpha', name: 'gone'}]},
];

/** Texts without white space, from one. */
export const words = (text: string): string[] => text.split(' ');
