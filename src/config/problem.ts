import {CellarError} from '../core/errors.ts';
import type {Option} from './option.ts';

/** What is wrong: with a file as such, with a line of it, with an option's name, its value, or what its value refers to. */
export type ProblemKind =
  | 'missing'
  | 'denied'
  | 'no-directory'
  | 'unreadable'
  | 'encoding'
  | 'syntax'
  | 'unknown'
  | 'value'
  | 'reference';

/** One thing wrong with the configuration. No part of it ever holds a secret. */
export type Problem = {
  kind: ProblemKind;
  /** A file, an environment variable, `the command line` or `the default`. */
  where: string;
  line?: number;
  /** `[group] name` */
  option?: string;
  what: string;
  /** What to do about it. */
  hint: string;
};

/** A problem on its way up, inside src/config only. */
export class Fault extends Error {
  readonly problem: Problem;
  /** oslo.config's NoSuchOptError: a reference that meets one tries [DEFAULT] next. */
  readonly noSuchOption: boolean;

  constructor(problem: Problem, noSuchOption = false) {
    super(problem.what);
    this.problem = problem;
    this.noSuchOption = noSuchOption;
  }
}

/** Where a value stands, and whose it is. */
export type Place = {where: string; line?: number; option: string};

/** A value that is not of its option's type; `shown` is what may be seen of it. */
export function valueProblem(at: Place, complaint: string, shown: string, {type, unit}: Option<unknown>): Problem {
  const bounds = type.range === undefined ? '' : `, ${type.range}`;
  const hint = `it takes: ${type.name}${unit === undefined ? '' : ` in ${unit}`}${bounds}`;
  return {...at, kind: 'value', what: `${complaint}, found ${JSON.stringify(shown)}`, hint};
}

const dollarHint =
  'write $$ for a dollar sign; an option of Nova that no file sets must be written out, since only Nova knows its default';

/** A `$name` that nothing sets. In a secret the name may be a piece of the secret: `pa$word`. */
export const missingReference = (at: Place, name: string, hide: boolean): Problem => ({
  ...at,
  kind: 'reference',
  what: hide ? 'refers with $ to an option that is not set' : `refers to $${name}, which is not set`,
  hint: dollarHint,
});

/** A `$group.name` whose group there is not, or a `$group`. */
export const groupReference = (at: Place, name: string, hide: boolean): Problem => ({
  ...at,
  kind: 'reference',
  what: hide ? 'refers with $ to what is no option' : `refers to $${name}, which is no option`,
  hint: !hide && name.startsWith('DEFAULT.') ? 'write it without DEFAULT, which is no group to refer to' : dollarHint,
});

/** An option whose value needs itself; `keys` end where they came round. */
export function circle(keys: readonly string[]): Problem {
  const last = keys.at(-1) ?? '';
  const path = keys.slice(keys.indexOf(last)).join(' -> ');
  return {
    kind: 'reference',
    where: 'the values',
    option: last,
    what: `refers to itself: ${path}`,
    hint: 'break the circle',
  };
}

/** `/etc/cellar/cellar.conf:7: [image_store] fill_lease must be at least 5, found "3"` */
export function describeProblem({where, line, option, what}: Problem): string {
  const place = line === undefined ? where : `${where}:${line}`;
  return `${place}: ${option === undefined ? '' : `${option} `}${what}`;
}

/** One `config` error for one or many problems. */
export function problemsError(problems: readonly Problem[]): CellarError {
  const [first] = problems;
  if (problems.length === 1 && first !== undefined) {
    return new CellarError('config', describeProblem(first), {hint: first.hint});
  }
  const rows = problems.map(problem => `\n  ${describeProblem(problem)} (${problem.hint})`);
  return new CellarError('config', `the configuration has ${problems.length} problems:${rows.join('')}`, {
    hint: '`cellar config check` lists them again',
  });
}
