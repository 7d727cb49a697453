/** cellar.conf(5), from the option table. */
import type {Option, Table} from '../../src/config/option.ts';
import {groupHelp, options} from '../../src/config/options.ts';
import {describeType, sampleValues} from '../../src/config/sample.ts';
import {filesSection, seeAlso} from './common.ts';
import {bold, italic, literal, type Page, paragraph, prose, section, subsection} from './roff.ts';

export function confPage(version: string, date: string): Page {
  const groups = Object.entries(options as Table).map(([group, members]) =>
    subsection(
      `[${group}]`,
      prose(groupHelp[group as keyof typeof groupHelp]),
      ...Object.entries(members).map(([name, option]) => entry(name, option)),
    ),
  );
  return {
    name: 'cellar.conf',
    section: 5,
    title: 'configuration of cellar',
    version,
    date,
    body: [
      section(
        'DESCRIPTION',
        prose(
          'cellar reads ini files with the syntax and the meaning of oslo.config, so that it sees in nova.conf what Nova sees. A host that runs Nova needs in cellar.conf only what differs: often nothing but `[image_store]`.',
        ),
        paragraph(
          'The strongest value wins: that of the command line, then of the environment (`OS_<GROUP>__<OPTION>`), then of the files, of which later ones win, then the default. `cellar config check` tells what is wrong, `cellar config show` where each value comes from.',
        ),
        paragraph(
          'An option that is unknown in a section of cellar is an error; in a section of Nova it is left alone. After a change that needs no restart, SIGHUP (`systemctl reload cellar-agent`) makes the agent read the files again.',
        ),
      ),
      filesSection,
      section(
        'SYNTAX',
        prose('A section stands alone on its line. A comment is a line that begins with # or ; in its first column.'),
        paragraph(
          'An indented line continues the value above it. `$name` and `$section.name` stand for other options; `$$` is a dollar sign.',
        ),
        literal('[image_store]\npool = cellar\nrbd_user = cellar\n\n[cell]\nname = cell1'),
      ),
      section('OPTIONS', ...groups),
      seeAlso('cellar.conf(5)'),
    ],
  };
}

function entry(name: string, option: Option<unknown>): string {
  const values = sampleValues(option).map(value => (value === '' ? 'empty' : value.replace(/^<(.*)>$/, '$1')));
  const facts = [
    describeType(option),
    `default: ${values.join(', ')}`,
    ...(option.secret ? ['secret: never shown'] : []),
    ...(option.reload ? ['can be changed without a restart'] : []),
  ];
  return `.TP\n${bold(name)} (${italic(facts.join('; '))})\n${prose(option.help)}${prose(option.reason)}`;
}
