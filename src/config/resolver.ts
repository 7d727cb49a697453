import {normalGroup} from './files.ts';
import {interpolate} from './interpolate.ts';
import {
  environmentName,
  type Found,
  type Inputs,
  Lookup,
  type Origin,
  optionKey,
  place,
  type RawName,
} from './lookup.ts';
import {type OldNames, oldNames} from './old-names.ts';
import {defaultText, type Option, type Table} from './option.ts';
import {circle, Fault, groupReference, missingReference, type Place, valueProblem} from './problem.ts';
import {mask, maskUrls, soundsSecret} from './secret.ts';
import {Invalid} from './types.ts';

/** A value as read. `str` is Python's str() of it, for interpolation; `secret` also when a secret was interpolated into it. */
export type Reading = {value: unknown; str: string; origin: Origin; secret: boolean};

/**
 * Reads options the way oslo.config does, each not before it is asked for. Its surprises are kept on purpose, since Nova on
 * the same host reads the same files: see docs/configuration.md.
 */
export class Resolver {
  readonly #table: Table;
  readonly #lookup: Lookup;
  readonly #oldNames: OldNames;
  readonly #variables: ReadonlySet<string>;
  readonly #foreign: ReadonlySet<string>;
  readonly #known = new Map<string, Reading | Fault>();
  readonly #open: string[] = [];

  constructor(table: Table, inputs: Inputs) {
    this.#table = table;
    this.#lookup = new Lookup(inputs);
    this.#oldNames = oldNames(table);
    const known = Object.entries(table).flatMap(([group, all]) =>
      Object.keys(all).map(name => environmentName(group, name)),
    );
    this.#variables = new Set(known);
    this.#foreign = new Set(this.#lookup.names().flatMap(one => (this.#isForeign(one) ? [one.group] : [])));
  }

  /** The option's value; undefined when there is no such option. Fails with Fault, every time the same. */
  read(group: string, name: string): Reading | undefined {
    const found = this.#find(group, name);
    if (found === undefined) return undefined;
    return this.#once(optionKey(group, name), () => this.#evaluate(group, name, found.name, found.option));
  }

  /** Where the option's value would come from, whether or not it can be read. */
  origin(group: string, name: string): Origin {
    const option = this.#option(group, name);
    return (option && this.#raw(group, name, name, option)?.origin) ?? {from: 'default'};
  }

  /** The option behind a name, perhaps an old one; then `name` is the new one. */
  #find(group: string, name: string): {option: Option<unknown>; name: string} | undefined {
    const own = this.#option(group, name);
    if (own !== undefined) return {option: own, name};
    const real = this.#oldNames.references.get(optionKey(group, name));
    if (real === undefined) return undefined;
    const option = this.#option(real.group === 'DEFAULT' ? group : real.group, real.name);
    if (option === undefined) throw new Stumble();
    return {option, name: real.name};
  }

  #option(group: string, name: string): Option<unknown> | undefined {
    const options = Object.hasOwn(this.#table, group) ? this.#table[group] : undefined;
    return options !== undefined && Object.hasOwn(options, name) ? options[name] : undefined;
  }

  #once(key: string, evaluate: () => Reading): Reading {
    const known = this.#known.get(key) ?? this.#evaluateOnce(key, evaluate);
    if (known instanceof Fault) throw known;
    return known;
  }

  #evaluateOnce(key: string, evaluate: () => Reading): Reading | Fault {
    if (this.#open.includes(key)) return new Fault(circle([...this.#open, key]));
    this.#open.push(key);
    let result: Reading | Fault;
    try {
      result = evaluate();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      result = error;
    } finally {
      this.#open.pop();
    }
    this.#known.set(key, result);
    return result;
  }

  #evaluate(group: string, asked: string, name: string, option: Option<unknown>): Reading {
    const found = this.#raw(group, asked, name, option);
    if (found === undefined) return {value: undefined, str: '', origin: {from: 'default'}, secret: option.secret};
    const at = {...place(found.origin), option: optionKey(group, name)};
    const parts = found.texts.map(text => this.#substitute(text, group, at, option.secret));
    const secret = option.secret || parts.some(part => part.secret);
    try {
      const parsed = parts.map(({text}) => option.type.parse(text));
      const value = option.type.multi === true ? parsed.flat() : parsed[0];
      return {value, str: value === undefined ? '' : option.type.str(value), origin: found.origin, secret};
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      const shown = secret ? mask : maskUrls(parts.map(({text}) => text).join('\n'));
      throw new Fault(valueProblem(at, error.message, shown, option));
    }
  }

  #raw(group: string, asked: string, name: string, option: Option<unknown>): Found | undefined {
    const old = option.deprecated.map(one => ({group: one.group ?? group, name: one.name ?? name}));
    return (
      this.#lookup.commandLine(group, name) ??
      this.#lookup.environment(group, asked) ??
      this.#lookup.files([{group, name}, ...old], option.type.multi ?? false) ??
      fromDefault(option)
    );
  }

  #substitute(text: string, group: string, at: Place, hide: boolean): {text: string; secret: boolean} {
    let secret = false;
    const result = interpolate(text, name => {
      try {
        const reading = this.#refer(name, group);
        if (reading === undefined) throw new Fault(missingReference(at, name, hide), true);
        secret ||= reading.secret;
        return reading.str;
      } catch (error) {
        if (error instanceof Stumble) return undefined;
        throw error instanceof NoSuchGroup ? new Fault(groupReference(at, name, hide)) : error;
      }
    });
    return {text: result, secret};
  }

  /** What `$name` means in a value of `group`: an option of the group itself first, then one of [DEFAULT]. */
  #refer(name: string, group: string): Reading | undefined {
    const dot = name.indexOf('.');
    if (dot < 0) return this.#firstOf(group, name, name);
    const [other, option] = [name.slice(0, dot), name.slice(dot + 1)];
    // oslo.config has no group of the name DEFAULT.
    if (this.#isGroup(other)) return this.#firstOf(other, option, name);
    const outside = other === 'DEFAULT' ? undefined : this.#outside(other, option);
    if (outside === undefined) throw new NoSuchGroup();
    return outside;
  }

  /** An option that exists but fails for want of another one counts as missing here, as it does in oslo.config. */
  #firstOf(group: string, name: string, nameInDefault: string): Reading | undefined {
    let failed: Fault | undefined;
    try {
      const own = this.#readAny(group, name);
      if (own !== undefined) return own;
    } catch (error) {
      if (!(error instanceof Fault) || !error.noSuchOption) throw error;
      failed = error;
    }
    const reading = this.#readAny('DEFAULT', nameInDefault);
    if (reading === undefined && failed !== undefined) throw failed;
    return reading;
  }

  #readAny(group: string, name: string): Reading | undefined {
    // In [DEFAULT] groups and options share their names, and a group has no value.
    if (group === 'DEFAULT' && this.#isGroup(name)) throw new NoSuchGroup();
    const own = this.#option(group, name) === undefined ? this.#outside(group, name) : undefined;
    return own ?? this.read(group, name);
  }

  #isGroup(name: string): boolean {
    return name !== 'DEFAULT' && (Object.hasOwn(this.#table, name) || this.#foreign.has(name));
  }

  /** Nova has far more options than our table. One that is set is taken at its word; what the others default to, only Nova knows. */
  #outside(group: string, name: string): Reading | undefined {
    if (!this.#isForeign({group, name}) || group !== normalGroup(group)) return undefined;
    const inFiles = this.#lookup.files([{group, name}], false);
    // A variable's name has lost its case: one that belongs to an option of the table is not another option's.
    const old = this.#oldNames.references.has(optionKey(group, name));
    const inEnvironment = inFiles !== undefined || !(old || this.#variables.has(environmentName(group, name)));
    const found = (inEnvironment ? this.#lookup.environment(group, name) : undefined) ?? inFiles;
    if (found === undefined) return undefined;
    const hide = soundsSecret(name);
    const at = {...place(found.origin), option: optionKey(group, name)};
    return this.#once(`outside ${at.option}`, () => {
      const {text, secret} = this.#substitute(found.texts[0] ?? '', group, at, hide);
      return {value: text, str: text, origin: found.origin, secret: hide || secret};
    });
  }

  /** May this be an option that our table does not have? No option can have such a name, and an old name is none. */
  #isForeign({group, name}: RawName): boolean {
    if (/^_|[.-]/.test(name) || this.#oldNames.raw.has(optionKey(group, name))) return false;
    return this.#option(group, name) === undefined;
  }
}

/**
 * An option that moved into [DEFAULT], asked for by its old name: oslo.config looks for it in the old group, trips over its own
 * KeyError, and string.Template takes that for "leave the reference as it is".
 */
class Stumble extends Error {}

class NoSuchGroup extends Error {}

function fromDefault(option: Option<unknown>): Found | undefined {
  const text = defaultText(option);
  if (text === undefined) return undefined;
  return {texts: typeof text === 'string' ? [text] : text, origin: {from: 'default'}};
}
