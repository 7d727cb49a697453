import type {Table, Value} from './option.ts';
import {cellarOptions} from './options-cellar.ts';
import {novaOptions} from './options-nova.ts';

/**
 * Every option cellar reads. The types `get` returns, the sample file, docs/configuration.md and `cellar config show` all come
 * from here.
 */
export const options = {...cellarOptions, ...novaOptions} satisfies Table;

export type Options = typeof options;
export type GroupName = keyof Options;
export type OptionName<G extends GroupName> = keyof Options[G] & string;
export type OptionValue<G extends GroupName, N extends OptionName<G>> = Value<Options, G, N>;
