/** cellar(1), from the command table. */
import {errorKinds} from '../../src/core/errors.ts';
import {type CommandEntry, commandTable, type OptionEntry} from '../completion/commands.ts';
import {filesSection, seeAlso, sentence} from './common.ts';
import {bold, italic, literal, type Page, paragraph, prose, section, subsection, tagged} from './roff.ts';

export function cellarPage(version: string, date: string): Page {
  const [root, ...commands] = commandTable();
  const leaves = commands.filter(({children}) => children.length === 0);
  return {
    name: 'cellar',
    section: 1,
    title: "disks and cached image copies of a Nova cell's Ceph",
    version,
    date,
    body: [
      section('SYNOPSIS', leaves.map(synopsis).join('.br\n')),
      section(
        'DESCRIPTION',
        prose(
          "`cellar` is the client of `cellar-agent`(8), which keeps one verified copy of each Glance image in the cell's own Ceph and makes instance disks as clones of it.",
        ),
        paragraph(
          "It prints what was found or made on standard output, and messages on standard error. It needs no access to Ceph, and no configuration beyond the agent's socket.",
        ),
      ),
      section('COMMANDS', ...leaves.map(command)),
      section('GLOBAL OPTIONS', ...(root?.options ?? []).map(option)),
      section('EXIT STATUS', ...exitCodes(), tagged(bold('128+N'), 'Ended by signal N.')),
      section(
        'ENVIRONMENT',
        tagged(bold('CELLAR_SOCKET'), "The agent's socket."),
        tagged(
          bold('OS_TOKEN'),
          "The requester's Keystone token. It is never taken from the command line, which all can see.",
        ),
        tagged(bold('OS_<GROUP>__<OPTION>'), 'An option of the configuration, such as `OS_AGENT__SOCKET`.'),
        tagged(bold('NO_COLOR'), 'No colours, on a terminal either.'),
      ),
      filesSection,
      section('EXAMPLES', ...examplesOf(leaves)),
      seeAlso('cellar(1)'),
    ],
  };
}

const name = ({path}: CommandEntry) => ['cellar', ...path].join(' ');

function synopsis({path, positionals, options}: CommandEntry): string {
  const required = options.filter(each => each.required).map(flagsOf);
  const rest = options.some(each => !each.required) ? [`[${italic('options')}]`] : [];
  return `${[bold(['cellar', ...path].join(' ')), ...positionals.map(place), ...required, ...rest].join(' ')}\n`;
}

const place = ({name, required}: {name: string; required: boolean}) =>
  required ? italic(name.toUpperCase()) : `[${italic(name.toUpperCase())}]`;

function command(entry: CommandEntry): string {
  const head = [name(entry), ...entry.positionals.map(each => each.name.toUpperCase())].join(' ');
  return subsection(
    head,
    prose(`${sentence(entry.help)}.`),
    ...entry.positionals.filter(({help}) => help !== '').map(each => tagged(place(each), `${sentence(each.help)}.`)),
    ...entry.options.map(option),
  );
}

const option = (entry: OptionEntry): string =>
  tagged(flagsOf(entry), `${sentence(entry.help)}${entry.required ? ' (required)' : ''}.`);

function flagsOf({flags, takesValue}: OptionEntry): string {
  const [long = ''] = flags;
  const value = takesValue ? ` ${italic(long.replace(/^--(.*-)?/, '').toUpperCase())}` : '';
  return `${flags.toReversed().map(bold).join(', ')}${value}`;
}

/** One paragraph for each code; the kinds of errors that lead to it follow. */
function exitCodes(): string[] {
  const kinds = Object.entries(errorKinds);
  const codes = [...new Set(kinds.map(([, {exit}]) => exit))].toSorted((a, b) => a - b);
  const meaning = (code: number) =>
    kinds.filter(([, {exit}]) => exit === code).map(([kind, {meaning}]) => `${kind}: ${meaning}`);
  return [
    tagged(bold('0'), 'It is done.'),
    ...codes.map(code => tagged(bold(String(code)), `${meaning(code).join('; ')}.`)),
  ];
}

/** Those of the help pages. */
const examplesOf = (entries: CommandEntry[]): string[] =>
  entries.map(({usage}) => literal([...usage.matchAll(/^\$ (.*)$/gm)].map(([, line]) => line).join('\n')));
