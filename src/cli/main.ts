#!/usr/bin/env node
/** `cellar`: the client of the agent's socket for people and scripts. */
import {takeSources} from '../config/load.ts';
import {asCellarError} from '../core/errors.ts';
import type {Act} from './command.ts';
import {printError, printResult, type Terminal} from './output.ts';
import {createParser} from './parser.ts';
import {formatOf, type Globals, openSession} from './session.ts';
import {interruptible} from './signals.ts';

process.exitCode = await main(process.argv.slice(2));

/** The exit code: 0, or that of the error's kind, or 128 and the signal's number. */
async function main(argv: string[]): Promise<number> {
  const {stdin, stdout, stderr, env} = process;
  const terminal: Terminal = {stdout, stderr, env};
  stdout.on('error', ({code}: NodeJS.ErrnoException) => {
    // The reader of a pipe has enough: no reason to complain. A full disk is one.
    if (code === 'EPIPE') process.exit();
    stderr.write(`cellar: the output cannot be written: ${code}\n`);
    process.exit(1);
  });
  using interrupt = interruptible(process);
  const secrets: string[] = env['OS_TOKEN'] ? [env['OS_TOKEN']] : [];
  let exit = 0;
  try {
    const {sources, rest} = takeSources(argv);
    const act: Act = run => async args => {
      const session = openSession({...terminal, stdin, signal: interrupt.signal, sources}, args as Globals, secrets);
      exit = printResult(terminal, session.format, await run(session, args));
    };
    await createParser(rest, act, terminal).parseAsync();
  } catch (thrown) {
    const style = {format: formatOf({json: argv.includes('--json')}), debug: argv.includes('--debug'), secrets};
    exit = printError(terminal, asCellarError(thrown), style);
  }
  return interrupt.exit ?? exit;
}
