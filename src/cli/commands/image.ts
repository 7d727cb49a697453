import type {Argv} from 'yargs';
import {type Act, examples} from '../command.ts';
import {evict, list, pin, prefetch, show, unpin, verify} from './image-actions.ts';

const id = '5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01';

export const imageCommands = (yargs: Argv, act: Act) =>
  yargs
    .usage(examples('image <command>', ['cellar image list', `cellar image show ${id} --json`]))
    .command(
      'list',
      "the cell's cached copies, whichever host made them",
      command =>
        command.usage(examples('image list', ['cellar image list', 'cellar image list -q'])).option('all-cell', {
          type: 'boolean',
          describe: "the same: the copies are the cell's, and no host has any of its own",
        }),
      act(list),
    )
    .command('show <id>', 'one cached copy', command => oneImage(command, 'show'), act(show))
    .command(
      'prefetch <id>',
      'get an image into the cache; goes on when this command is interrupted',
      command =>
        oneImage(command, 'prefetch', [
          `openstack token issue -f value -c id | cellar image prefetch ${id} --token-file -`,
        ])
          .option('pin', {type: 'boolean', describe: 'and pin it'})
          .option('token-file', {
            type: 'string',
            requiresArg: true,
            describe:
              "file with the requester's Keystone token, - for stdin; else OS_TOKEN, else the agent's own rights",
          }),
      act(prefetch),
    )
    .command(
      'pin <id>',
      'keep the copies of an image from being evicted',
      command => oneImage(command, 'pin'),
      act(pin),
    )
    .command('unpin <id>', 'let them be evicted again', command => oneImage(command, 'unpin'), act(unpin))
    .command(
      'evict <id>',
      'clone a copy no more, and remove it after its last clone; disks are not touched',
      command => oneImage(command, 'evict'),
      act(evict),
    )
    .command(
      'verify <id>',
      'read a copy back; one that differs from what was stored is quarantined, and the exit code is 1',
      command => oneImage(command, 'verify'),
      act(verify),
    )
    .demandCommand(1, 'image needs a command');

const oneImage = (command: Argv, name: string, [second = `cellar image ${name} ${id} --json`]: string[] = []) =>
  command
    .usage(examples(`image ${name} ID`, [`cellar image ${name} ${id}`, second]))
    .positional('id', {type: 'string', demandOption: true, describe: 'the Glance image id'});
