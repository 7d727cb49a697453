import type {Option, Table} from './option.ts';
import {groupHelp, options} from './options.ts';

const head = `# The configuration of cellar, with every option and its default. Nova's files are read first, so a host that runs Nova
# needs here only what differs: often nothing. A comment begins in the first column and has its line to itself.
`;

const novaHead = `
# What follows are options of Nova's, which cellar reads from nova.conf. Set them here only on a host without one, or where
# the agent needs another value than Nova.
`;

/** The sample file: every option of the table as a comment that holds its default. */
export function sampleIni(): string {
  const groups = Object.entries(options as Table);
  const isNovas = ([, group]: [string, Table[string]]) => Object.values(group).every(({owner}) => owner === 'nova');
  const ours = groups.filter(group => !isNovas(group)).map(section);
  return [head, ...ours, novaHead, ...groups.filter(isNovas).map(section)].join('');
}

function section([group, members]: [string, Table[string]]): string {
  const help = groupHelp[group as keyof typeof groupHelp];
  const blocks = Object.entries(members).map(([name, option]) => block(name, option));
  return `\n[${group}]\n${comment(help)}\n${blocks.join('')}`;
}

function block(name: string, option: Option<unknown>): string {
  const reload = option.reload ? ' Can be changed without a restart.' : '';
  const text = `${option.help} ${option.reason} (${describeType(option)})${reload}`;
  const lines = sampleValues(option).map(value => `#${name} =${value === '' ? '' : ` ${value}`}\n`);
  return `\n${comment(text)}\n${lines.join('')}`;
}

/** `integer in seconds, at least 5` */
export function describeType({type, unit}: Option<unknown>): string {
  const bounds = type.range === undefined ? '' : `${type.name === 'choice' ? ' of' : ','} ${type.range}`;
  return `${type.name}${unit === undefined ? '' : ` in ${unit}`}${bounds}`;
}

/** The default as the sample shows it; in angle brackets what is no value but a description of one. */
export function sampleValues({default: value}: Option<unknown>): readonly string[] {
  if (value === undefined) return ['<not set>'];
  if (typeof value === 'string') return [value];
  return 'value' in value ? [`<${value.text}>`] : value;
}

/** Text as comment lines of at most 120 columns. */
function comment(text: string): string {
  const rows: string[] = [];
  for (const word of text.split(' ')) {
    const row = rows.at(-1);
    if (row !== undefined && row.length + word.length < 118) rows[rows.length - 1] = `${row} ${word}`;
    else rows.push(word);
  }
  return rows.map(row => `# ${row}`).join('\n');
}
