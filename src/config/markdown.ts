import type {Option, Table} from './option.ts';
import {groupHelp, options} from './options.ts';
import {describeType, sampleValues} from './sample.ts';

const introduction = `# Configuration

cellar reads ini files with the syntax and the meaning that oslo.config gives them, so that it sees in nova.conf what Nova
sees. This page is made from the option table in src/config; \`cellar config sample\` prints the same as a file to start from
(the packages have it as /usr/share/doc/cellar-common/examples/cellar.conf), \`cellar config show\` every value with its origin,
\`cellar config check\` everything that is wrong.

## Where values come from

The strongest first:

1. the command line;
2. the environment: \`OS_<GROUP>__<OPTION>\` in capitals, for example \`OS_IMAGE_STORE__POOL\`;
3. the files; among several the later one wins;
4. the default.

Files are read in this order:

1. \`nova.conf\`, then \`nova-compute.conf\`, each from the first of \`~/.nova\`, \`~\`, \`/etc/nova\`, \`/etc\` that has it;
2. \`nova.conf.d/*.conf\` and \`nova-compute.conf.d/*.conf\`, found the same way;
3. \`/etc/cellar/cellar.conf\`;
4. \`/etc/cellar/cellar.conf.d/*.conf\`;
5. after all others, also those that are named: the credential \`cellar-secrets.conf\`, where systemd hands one over
   (\`LoadCredential=\`). It must be closed to others.

\`--config-file\` and \`--config-dir\` may be given several times and count in their order. With a \`--config-file\` the files of
1 and 3 are not read, with a \`--config-dir\` not those of 2 and 4. A file or directory that is named but missing is an error.

A file with passwords in it should be closed to others (\`root:nova\`, mode 0640: the packages install \`cellar.conf\` so). \`cellar config
check\` warns of those that everybody on the host can read; all works as before with them.

A name that is no option is an error in the sections \`[cell]\`, \`[image_store]\`, \`[agent]\`, \`[facade]\` and \`[registrar]\`;
elsewhere it is Nova's business.

## Syntax

- \`[section]\` stands alone on its line: \`[section] # comment\` is an error. Section names are the same in any case, but only
  \`[DEFAULT]\` in capitals is the default section. A section may come several times.
- \`name = value\` or \`name: value\`. Names are case-sensitive and have underscores, no dashes. The last of several wins.
- A comment is a line with \`#\` or \`;\` in its first column. There are no comments after a value.
- An indented line continues the value above it; no blank line or comment may stand between.
- One pair of quotes round a value goes. Nothing is escaped.
- UTF-8 without a byte order mark.
- \`$name\` and \`\${name}\` stand for an option of the same section, else of \`[DEFAULT]\`; \`$section.name\` for one of another
  section. \`$$\` is a dollar sign: a password with a \`$\` in it needs two. A name that is not set makes the value unreadable.
  An option of Nova's that is not in the tables below can be referred to where a file sets it; its default only Nova knows.
- A number takes only digits; an empty one counts as not set. Lists have commas between, and no quotes. A boolean is true, 1,
  on, yes or false, 0, off, no.

## Where cellar differs from oslo.config

- A value on the command line wins always. With oslo.config a file named after it wins, and so does the environment when a
  file has the value as well.
- A variable of an option that may be given several times is one value, not one for each of its letters.
- A whole number beyond 2^53 is refused.
- \`~user\` in \`--config-file\` is not looked up; \`~\` is. A \`--config-dir\` with \`*\`, \`?\` or \`[\` in its name is that directory, no
  pattern. One that may not be read is an error, not an empty directory.
- \`config_source\` (values from a remote file or Castellan) is not supported.
`;

/** docs/configuration.md. */
export function optionsMarkdown(): string {
  const sections = Object.entries(options as Table).map(([group, members]) => {
    const rows = Object.entries(members).map(([name, option]) => paragraph(name, option));
    return `\n## [${group}]\n\n${groupHelp[group as keyof typeof groupHelp]}\n${rows.join('')}`;
  });
  return introduction + sections.join('');
}

function paragraph(name: string, option: Option<unknown>): string {
  const values = sampleValues(option).map(value => (/^<.*>$/.test(value) ? value.slice(1, -1) : `\`${value}\``));
  const shown = values.map(value => (value === '``' ? 'empty' : value)).join(', ');
  const notes = [
    describeType(option),
    `default: ${shown}`,
    ...(option.secret ? ['secret: never shown'] : []),
    ...(option.reload ? ['SIGHUP may change it'] : []),
    ...(option.deprecated.length === 0 ? [] : [`also read as ${option.deprecated.map(oldName(name)).join(', ')}`]),
  ];
  return `\n### ${name}\n\n${option.help}\n\n${option.reason}\n\n*${notes.join('; ')}*\n`;
}

const oldName =
  (name: string) =>
  ({group, name: old = name}: {group?: string; name?: string}): string =>
    group === undefined ? `\`${old}\`` : `\`[${group}] ${old}\``;
