import type {Argv} from 'yargs';
import {type Act, examples} from '../command.ts';
import {move, register, release, status} from './host-actions.ts';

export const hostCommands = (yargs: Argv, act: Act) =>
  yargs
    .usage(
      examples('host <command>', ['cellar host status compute-1', 'cellar host move compute-1 --to cell2 --dry-run']),
    )
    .command(
      'status [host]',
      'what Nova, Placement and the registrar have of a host',
      command =>
        ofHost(
          command.usage(examples('host status [HOST]', ['cellar host status', 'cellar host status compute-1 --json'])),
        ),
      act(status),
    )
    .command(
      'register',
      'wait until the agent of this host has got it into its cell',
      command =>
        command.usage(examples('host register', ['cellar host register', 'cellar host register --timeout 5m'])),
      act(register),
    )
    .command(
      'release [host]',
      'take an empty host out of its cell, step by step; again goes on',
      command =>
        dry(
          ofHost(
            command.usage(
              examples('host release [HOST]', ['cellar host release --dry-run', 'cellar host release compute-1']),
            ),
          ),
        ),
      act(release),
    )
    .command(
      'move [host]',
      'take an empty host out of its cell, and see it into another; again goes on',
      command =>
        dry(
          ofHost(
            command.usage(
              examples('host move [HOST] --to CELL', [
                'cellar host move compute-1 --to cell2 --dry-run',
                'cellar host move compute-1 --to cell2',
              ]),
            ),
          ),
        ).option('to', {type: 'string', demandOption: true, requiresArg: true, describe: 'the cell, by name or uuid'}),
      act(move),
    )
    .demandCommand(1, 'host needs a command');

const ofHost = (command: Argv) =>
  command.positional('host', {type: 'string', describe: '[DEFAULT] host of it; this host without one'});

const dry = (command: Argv) =>
  command.option('dry-run', {
    type: 'boolean',
    describe: 'print the steps as they stand; the exit code is 1 if the next one is blocked',
  });
