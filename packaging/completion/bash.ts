import {type CommandEntry, commandTable, type OptionEntry} from './commands.ts';

/** Completion for bash, as Debian's bash-completion loads it: no Node is started at a press of the tab key. */
export function bashCompletion(entries: CommandEntry[] = commandTable()): string {
  const globals = entries[0]?.options ?? [];
  const all = [...globals, ...entries.flatMap(({options}) => options)];
  const parents = entries.filter(({children}) => children.length > 0);
  return `# bash completion for cellar. Made from its command table.
_cellar()
{
    local cur prev words cword
    _init_completion || return

    local path="" index
    for ((index = 1; index < cword; index++)); do
        case "\${words[index]}" in
            ${valued(all)})
                ((index++))
                ;;
            -*) ;;
            *)
                case "$path" in
${parents.map(descent).join('\n')}
                esac
                ;;
        esac
    done

    case "$prev" in
        ${valued(all.filter(isPath))})
            _filedir
            return
            ;;
        ${valued(all.filter(option => !isPath(option)))})
            return
            ;;
    esac

    local commands="" options="${flags(globals)}"
    case "$path" in
${entries.map(choices).join('\n')}
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
    else
        COMPREPLY=($(compgen -W "$commands" -- "$cur"))
    fi
} &&
    complete -F _cellar cellar
`;
}

/** What completes as a file or a directory. */
export const isPath = ({flags: [name = '']}: OptionEntry): boolean => /(file|dir|socket)$/.test(name);

const flags = (options: OptionEntry[]): string => options.flatMap(option => option.flags).join(' ');

const valued = (options: OptionEntry[]): string =>
  [...new Set(options.filter(({takesValue}) => takesValue).flatMap(option => option.flags))].join(' | ');

/** The words that lead one step down from a command. */
const descent = ({path, children}: CommandEntry): string =>
  `                    "${path.join(' ')}")
                        case "\${words[index]}" in
                            ${children.join(' | ')}) path="${[...path, ''].join(' ')}\${words[index]}" ;;
                        esac
                        ;;`;

function choices({path, children, options}: CommandEntry): string {
  const own = path.length === 0 || options.length === 0 ? [] : [`            options+=" ${flags(options)}"`];
  const below = children.length === 0 ? [] : [`            commands="${children.join(' ')}"`];
  return [`        "${path.join(' ')}")`, ...below, ...own, '            ;;'].join('\n');
}
