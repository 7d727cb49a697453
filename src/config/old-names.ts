import {optionKey, type RawName} from './lookup.ts';
import type {Table} from './option.ts';

/** Old names: as references may use them, with what they mean now; and as they may stand in a file. */
export type OldNames = {references: Map<string, RawName>; raw: Set<string>};

/** The old names of a table's options. */
export function oldNames(table: Table): OldNames {
  const references = new Map<string, RawName>();
  const raw = new Set<string>();
  for (const [group, options] of Object.entries(table)) {
    for (const [name, {deprecated}] of Object.entries(options)) {
      for (const old of deprecated) {
        raw.add(optionKey(old.group ?? group, old.name ?? name));
        if (old.name === undefined) continue;
        // Without a group they count as [DEFAULT]'s here, whatever group the option is in: an oddity of oslo.config.
        references.set(optionKey(old.group ?? 'DEFAULT', old.name.replaceAll('-', '_')), {group, name});
      }
    }
  }
  return {references, raw};
}
