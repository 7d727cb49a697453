import {normalGroup} from './files.ts';
import type {Inputs} from './lookup.ts';
import type {Table} from './option.ts';
import type {Problem} from './problem.ts';

/**
 * Names in our own sections that are no options. A misspelt limit would otherwise be a limit that does not hold. Nova's
 * sections are none of our business.
 */
export function unknownOptions(table: Table, {files}: Inputs): Problem[] {
  const problems: Problem[] = [];
  for (const [group, options] of Object.entries(table)) {
    if (Object.values(options).some(({owner}) => owner !== 'cellar')) continue;
    for (const {groups} of files) {
      for (const [name, assigned] of groups.get(normalGroup(group)) ?? []) {
        if (Object.hasOwn(options, name)) continue;
        const hint = meant(table, group, name);
        for (const {file, line} of assigned) {
          problems.push({kind: 'unknown', where: file, line, option: `[${group}] ${name}`, what: 'is no option', hint});
        }
      }
    }
  }
  return problems;
}

function meant(table: Table, group: string, name: string): string {
  const near = nearest(name, Object.keys(table[group] ?? {}));
  if (near !== undefined) return `did you mean ${near}?`;
  const plain = underscored(name);
  const home = Object.entries(table).find(([, options]) => Object.hasOwn(options, plain))?.[0];
  if (home !== undefined) return `it belongs into [${home}]${plain === name ? '' : ` as ${plain}`}`;
  return '`cellar config sample` shows all options';
}

const underscored = (name: string): string => name.toLowerCase().replaceAll('-', '_');

/** The closest of some names, if it is close enough to be meant: at most a third of its letters differ. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const plain = underscored(name);
  const ranked = names.map(one => ({one, distance: editDistance(plain, one)})).sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(2, Math.floor(best.one.length / 3)) ? best.one : undefined;
}

/** How many letters must be put in, taken out or replaced to make one text of the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({length: to.length + 1}, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
