import {isPath} from './bash.ts';
import {type CommandEntry, commandTable, type OptionEntry} from './commands.ts';

/** Completion for zsh: a function for each command that has others below it, and one for each that has not. */
export function zshCompletion(entries: CommandEntry[] = commandTable()): string {
  const globals = entries[0]?.options ?? [];
  return `#compdef cellar
# zsh completion for cellar. Made from its command table.

${entries.map(entry => (entry.children.length > 0 ? parent(entry, entries, globals) : leaf(entry, globals))).join('\n')}
_cellar "$@"
`;
}

const functionOf = (path: string[]): string => ['_cellar', ...path].join('_');

function parent({path, children}: CommandEntry, entries: CommandEntry[], globals: OptionEntry[]): string {
  const helpOf = (name: string) => entries.find(entry => entry.path.join() === [...path, name].join())?.help ?? '';
  return `${functionOf(path)}() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C \\
${globals.map(option).join('')}    '1: :->command' \\
    '*:: :->rest'
  case $state in
    command)
      local -a commands=(
${children.map(name => `        ${quoted(`${name}:${helpOf(name)}`)}\n`).join('')}      )
      _describe -t commands 'command' commands
      ;;
    rest)
      case $line[1] in
${children.map(name => `        ${name}) ${functionOf([...path, name])} ;;\n`).join('')}      esac
      ;;
  esac
}
`;
}

function leaf({path, positionals, options}: CommandEntry, globals: OptionEntry[]): string {
  const words = positionals.map(({name, help}, at) => `    ${quoted(`${at + 1}:${plain(help || name)}: `)} \\\n`);
  return `${functionOf(path)}() {
  _arguments -s \\
${[...options, ...globals].map(option).join('')}${words.join('')}    && return
}
`;
}

function option(one: OptionEntry): string {
  const [name = '', short] = one.flags;
  const value = one.takesValue ? `:${name.slice(2)}:${isPath(one) ? '_files' : ' '}` : '';
  const rest = `[${plain(one.help)}]${value}`;
  const spec =
    short === undefined
      ? quoted(`${name}${rest}`)
      : `'(${one.flags.join(' ')})'{${one.flags.join(',')}}${quoted(rest)}`;
  return `    ${spec} \\\n`;
}

/** Brackets and colons mean something to _arguments. */
const plain = (text: string): string => text.replace(/[[\]:\\]/g, match => `\\${match}`);

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
