/** The command line of the bench. */
import {parseArgs} from 'node:util';
import {full, quick, type Sizes} from './sizes.ts';

/** The usage was asked for: it is the whole answer. */
export class Usage extends Error {}

export type Options = {sizes: Sizes; quick: boolean; only: string[]; write: boolean; json: boolean};

const usage = (
  sections: string[],
) => `Usage: npm run bench -- [--quick] [--runs N] [--only SECTION,...] [--json] [--write]

  --quick   small images and few rounds: does everything still run?
  --runs N  rounds of each comparison (default ${full.runs}, with --quick ${quick.runs})
  --only    of ${sections.join(', ')}
  --json    the report as one line of JSON at the end
  --write   write docs/benchmarks.md and docs/benchmarks.json, with at least 5 rounds; with --only the other
            sections stay as they were measured before`;

export function parseOptions(args: string[], sections: string[]): Options {
  const {values} = parseArgs({
    args,
    options: {
      quick: {type: 'boolean', default: false},
      runs: {type: 'string'},
      only: {type: 'string'},
      write: {type: 'boolean', default: false},
      json: {type: 'boolean', default: false},
      help: {type: 'boolean', default: false},
    },
  });
  if (values.help) throw new Usage(usage(sections));
  const base = values.quick ? quick : full;
  const runs = values.runs === undefined ? base.runs : Number(values.runs);
  const only = values.only?.split(',') ?? sections;
  if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs is a number from 1 on');
  const unknown = only.filter(name => !sections.includes(name));
  if (unknown.length > 0) throw new Error(`no section ${unknown.join(', ')}\n\n${usage(sections)}`);
  if (values.write && (values.quick || runs < 5))
    throw new Error('--write is for real numbers: without --quick, and with 5 rounds or more');
  return {sizes: {...base, runs}, quick: values.quick, only, write: values.write, json: values.json};
}
