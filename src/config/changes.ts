import {isDeepStrictEqual} from 'node:util';
import type {Config} from './config.ts';
import type {Table} from './option.ts';

export type Change = {group: string; name: string; reload: boolean};

/**
 * The options that have another value than before, in the table's order. `sections`: the section that a group's options are read
 * from, where it is another. Both configurations must be free of problems (`check`). No value is told: it may be a secret.
 */
export function changesBetween<T extends Table>(
  table: T,
  before: Config<T>,
  after: Config<T>,
  sections: Readonly<Record<string, string>> = {},
): Change[] {
  return Object.entries(table).flatMap(([group, options]) =>
    Object.entries(options).flatMap(([name, {reload}]) => {
      const value = (config: Config<T>): unknown => config.get(group, name, sections[group]);
      return isDeepStrictEqual(value(before), value(after)) ? [] : [{group, name, reload}];
    }),
  );
}
