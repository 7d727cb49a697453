import type {ValueType} from './types.ts';

/** A name the option had before; without a group, it was in the group the option is in. */
export type Deprecated = {group?: string; name?: string};

/** A default that depends on the host: `text` for the documents, `value` for the program. */
export type HostDefault = {text: string; value(): string};

/** One option. Defaults are written as in a file: they are interpolated and parsed like any other value. */
export type Option<T> = {
  type: ValueType<T>;
  default: string | readonly string[] | HostDefault | undefined;
  /** What it sets, in a sentence. */
  help: string;
  /** Why the default is what it is. */
  reason: string;
  unit: string | undefined;
  secret: boolean;
  deprecated: readonly Deprecated[];
  /** Whose option it is: Nova's are only read, and their neighbours we do not know are left alone. */
  owner: 'nova' | 'cellar';
  /** SIGHUP may change it. */
  reload: boolean;
};

export type Table = Record<string, Record<string, Option<unknown>>>;

/** The type of an option's value. */
export type Value<T extends Table, G extends keyof T, N extends keyof T[G]> =
  T[G][N] extends Option<infer V> ? V : never;

type Words = {help: string; reason: string};
type Rest = {unit?: string; secret?: boolean; deprecated?: readonly Deprecated[]; reload?: boolean};
type WithDefault = {default: string | readonly string[] | HostDefault};

const complete = <T>(
  owner: 'nova' | 'cellar',
  type: ValueType<T>,
  given: Words & Rest & Partial<WithDefault>,
): Option<T> => ({
  type,
  default: given.default,
  help: given.help,
  reason: given.reason,
  unit: given.unit,
  secret: given.secret ?? false,
  deprecated: given.deprecated ?? [],
  owner,
  reload: given.reload ?? false,
});

/** An option of ours that always has a value. */
export const ours = <T>(type: ValueType<T>, given: Words & Rest & WithDefault): Option<T> =>
  complete('cellar', type, given);

/** An option of ours that may be absent. */
export const oursIfSet = <T>(type: ValueType<T>, given: Words & Rest): Option<T | undefined> =>
  complete<T | undefined>('cellar', type as ValueType<T | undefined>, given);

/** An option of Nova's, with Nova's default. */
export const novas = <T>(type: ValueType<T>, given: Words & Rest & WithDefault): Option<T> =>
  complete('nova', type, given);

/** An option of Nova's that has no default. */
export const novasIfSet = <T>(type: ValueType<T>, given: Words & Rest): Option<T | undefined> =>
  complete<T | undefined>('nova', type as ValueType<T | undefined>, given);

/** The default as a file would hold it: a text, several, or none. */
export const defaultText = ({default: text}: Option<unknown>): string | readonly string[] | undefined =>
  typeof text === 'object' && 'value' in text ? text.value() : text;
