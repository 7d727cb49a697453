/** What the programs that run as services have in common: their command line, how they end, and with what exit code. */
import {parseArgs} from 'node:util';
import type {Logger} from 'pino';
import {takeSources} from '../config/load.ts';
import {type Address, formatAddress} from '../config/names.ts';
import {version} from '../config/version.ts';
import {asCellarError, CellarError, errorKinds} from '../core/errors.ts';
import type {ListenTold} from '../metrics/listen.ts';

/** The configuration files of a command line. */
export type Sources = ReturnType<typeof takeSources>['sources'];

/** A program by its name and what `--help` prints. */
export type Program = {name: string; usage: string; run(sources: Sources): Promise<void>};

/** Answers `--help` and `--version`, else runs. Never rejects: a failure is told on stderr, and its kind is the exit code. */
export async function runProgram({name, usage, run}: Program, argv: readonly string[]): Promise<void> {
  try {
    const {sources, rest} = takeSources(argv);
    const {help, version: wanted} = flagsOf(rest, name);
    if (help) process.stdout.write(usage);
    else if (wanted) process.stdout.write(`${version}\n`);
    else await run(sources);
  } catch (thrown) {
    const error = asCellarError(thrown);
    process.stderr.write(`${name}: ${error.message}\n${error.hint ? `  ${error.hint}\n` : ''}`);
    process.exitCode = errorKinds[error.kind].exit;
  }
}

function flagsOf(rest: string[], name: string): {help?: boolean; version?: boolean} {
  try {
    return parseArgs({args: rest, options: {help: {type: 'boolean'}, version: {type: 'boolean'}}}).values;
  } catch (error) {
    throw new CellarError('usage', (error as Error).message, {hint: `${name} --help`, cause: error});
  }
}

/** For the log, whether metrics are served on an address. Without them the program does its work all the same. */
export const metricsTold = (at: Address, log: Logger): ListenTold => ({
  listening: () => log.info({listen: formatAddress(at)}, 'metrics are served'),
  failed: ({message, hint}) => log.error({listen: formatAddress(at), hint}, `${message}; it is tried again`),
});

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function stopSignal(log: Logger): Promise<void> {
  return new Promise(resolve => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) process.exit(1);
      asked = true;
      log.info({signal}, 'stopping');
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
