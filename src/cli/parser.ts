/** The command line's grammar. */
import yargs, {type Argv} from 'yargs';
import {version} from '../config/version.ts';
import {CellarError} from '../core/errors.ts';
import {type Act, examples} from './command.ts';
import {configCommands} from './commands/config.ts';
import {diskCommands} from './commands/disk.ts';
import {doctorHandler, doctorUsage} from './commands/doctor.ts';
import {hostCommands} from './commands/host.ts';
import {imageCommands} from './commands/image.ts';
import {statusHandler, statusUsage} from './commands/status.ts';
import {topHandler, topUsage} from './commands/top.ts';
import type {Terminal} from './output.ts';

/** Parses, and runs the one command that is meant; a wrong line is a `usage` error. */
export function createParser(argv: string[], act: Act, {stdout}: Pick<Terminal, 'stdout'>) {
  return (
    yargs(argv)
      .scriptName('cellar')
      .usage(
        examples('<noun> <command>', [
          'cellar status',
          'cellar disk create vms/7c1d0b3e_disk --image 5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01 --size 20G',
        ]),
      )
      .command('disk', 'instance disks', (one: Argv) => diskCommands(one, act))
      .command('image', "the cell's cached copies", (one: Argv) => imageCommands(one, act))
      .command('status', 'how the agent and its partners are', statusUsage, statusHandler(act))
      .command('top', 'the fills of the cell as they go', topUsage, topHandler(act))
      .command('doctor', 'whether this host has all it needs; what mends it', doctorUsage, doctorHandler(act))
      .command('host', 'this host in Nova: its cell, and leaving it', (one: Argv) => hostCommands(one, act))
      .command('config', 'the configuration of this host', (one: Argv) => configCommands(one, act))
      .demandCommand(1, 'what is to be done?')
      .options(globals)
      .conflicts('json', 'quiet')
      .version(version)
      .alias('h', 'help')
      // Words that are not ours are refused, not guessed at.
      .strict()
      .strictCommands()
      .group([...Object.keys(globals), 'version', 'help'], 'Global options:')
      // The messages are part of what is tested, and of what people search for.
      .locale('en')
      .parserConfiguration({'camel-case-expansion': false, 'dot-notation': false, 'duplicate-arguments-array': false})
      .exitProcess(false)
      .fail((message, error) => {
        throw error ?? usageError(message, argv);
      })
      .wrap(Math.min(stdout.columns || 100, 120))
  );
}

const globals = {
  'config-file': {type: 'string', describe: 'a configuration file; repeatable, later ones win'},
  'config-dir': {type: 'string', describe: 'a directory of *.conf files; repeatable'},
  socket: {type: 'string', requiresArg: true, describe: "the agent's socket; else CELLAR_SOCKET, else [agent] socket"},
  timeout: {
    type: 'string',
    requiresArg: true,

    describe: 'seconds, or 10m, 2h, for the whole call',
  },
  json: {type: 'boolean', describe: 'one JSON object'},
  quiet: {alias: 'q', type: 'boolean', describe: 'ids only'},
  debug: {type: 'boolean', describe: 'stack and causes of an error'},
} as const;

/** yargs' complaint, with the help page that answers it: that of the words before the first option, less the one it stumbled on. */
function usageError(message: string, argv: readonly string[]): CellarError {
  if (/\btoken\b/.test(message)) return new CellarError('usage', message, {hint: tokenHint});
  const options = argv.findIndex(word => word.startsWith('-'));
  const words = argv.slice(0, options < 0 ? argv.length : options).filter(word => /^[a-z]+$/.test(word));
  const known = words.slice(0, 2).filter(word => !message.includes(`: ${word}`));
  return new CellarError('usage', message, {hint: `see \`${['cellar', ...known, '--help'].join(' ')}\``});
}

const tokenHint = 'a token on the command line is seen by all in `ps`: use --token-file or OS_TOKEN';
