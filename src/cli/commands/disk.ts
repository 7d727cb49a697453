import type {Argv} from 'yargs';
import type {DiskAnswer, DiskViewAnswer} from '../../api/wire.ts';
import {CellarError} from '../../core/errors.ts';
import {type Act, examples} from '../command.ts';
import type {Result} from '../output.ts';
import {progressBar} from '../progress.ts';
import type {Session} from '../session.ts';
import {pairs} from '../table.ts';
import {readToken} from '../token.ts';
import {formatDuration, formatSize, parseSize} from '../units.ts';

export const diskCommands = (yargs: Argv, act: Act) =>
  yargs
    .usage(
      examples('disk <command>', [
        'cellar disk create vms/7c1d0b3e_disk --image 5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01 --size 20G',
        'cellar disk show vms/7c1d0b3e_disk --json',
      ]),
    )
    .command(
      'create <disk>',
      'make a disk from an image, or find it made',
      command =>
        command
          .usage(
            examples('disk create POOL/NAME --image ID', [
              'cellar disk create vms/7c1d0b3e_disk --image 5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01 --size 20G',
              'openstack token issue -f value -c id | cellar disk create vms/d1 --image $ID --token-file -',
            ]),
          )
          .positional('disk', {type: 'string', demandOption: true, describe: 'POOL/NAME'})
          .option('image', {type: 'string', demandOption: true, requiresArg: true, describe: 'the Glance image id'})
          .option('size', {
            type: 'string',
            requiresArg: true,
            describe: '10G, 512M or bytes; without it as large as the image',
          })
          .option('token-file', {
            type: 'string',
            requiresArg: true,
            describe:
              "file with the requester's Keystone token, - for stdin; else OS_TOKEN, else the agent's own rights",
          }),
      act(create),
    )
    .command(
      'show <disk>',
      'how a disk stands in the cluster',
      command =>
        command
          .usage(
            examples('disk show POOL/NAME', ['cellar disk show vms/d1', 'cellar disk show vms/d1 --json | jq .state']),
          )
          .positional('disk', {type: 'string', demandOption: true, describe: 'POOL/NAME'}),
      act(show),
    )
    .command(
      'delete <disk>',
      'remove a disk, whole or torn; an absent one is fine',
      command =>
        command
          .usage(examples('disk delete POOL/NAME', ['cellar disk delete vms/d1', 'cellar disk delete vms/d1 --json']))
          .positional('disk', {type: 'string', demandOption: true, describe: 'POOL/NAME'}),
      act(remove),
    )
    .demandCommand(1, 'disk needs a command');

type CreateArgs = {disk: string; image: string; size?: string | undefined; 'token-file'?: string | undefined};

async function create(session: Session, {disk, image, size, 'token-file': file}: CreateArgs): Promise<Result> {
  const spec = parseDisk(disk);
  const bytes = size === undefined ? undefined : parseSize(size);
  const token = await readToken({...session, signal: session.call.signal, file});
  if (token !== undefined) session.secrets.push(token);
  const bar = session.format === 'text' ? progressBar(session) : undefined;
  try {
    const request = {...spec, image, ...(bytes !== undefined && {size: bytes}), ...(token !== undefined && {token})};
    const client = await session.client();
    const made = await client.createDisk(request, {
      ...session.call,
      ...(bar && {onProgress: bar.update}),
    });
    return {json: made, ids: [disk], text: describe(made)};
  } finally {
    bar?.clear();
  }
}

async function show(session: Session, {disk}: {disk: string}): Promise<Result> {
  const client = await session.client();
  const view = await client.showDisk(parseDisk(disk), session.call);
  return {json: view, ids: [disk], text: describeView(view)};
}

async function remove(session: Session, {disk}: {disk: string}): Promise<Result> {
  const client = await session.client();
  const answer = await client.deleteDisk(parseDisk(disk), session.call);
  const text = answer.deleted ? `${disk} is deleted\n` : `${disk} was not there\n`;
  return {json: answer, ids: answer.deleted ? [disk] : [], text};
}

/** The first slash ends the pool's name; the rest is checked with the disk's. */
function parseDisk(text: string): {pool: string; name: string} {
  const slash = text.indexOf('/');
  if (slash > 0 && slash < text.length - 1) return {pool: text.slice(0, slash), name: text.slice(slash + 1)};
  throw new CellarError('usage', `${JSON.stringify(text)} is no POOL/NAME`, {hint: 'write it like vms/7c1d0b3e_disk'});
}

function describe({pool, name, outcome, size, parent, timings, glanceBytes, roads}: DiskAnswer): string {
  const {total, ...steps} = timings;
  const parts = Object.entries(steps).map(([step, ms]) => `${step} ${formatDuration(ms)}`);
  return pairs([
    ['disk', `${pool}/${name}`],
    ['outcome', outcome],
    ['size', formatSize(size)],
    ['parent', formatParent(parent)],
    ['from Glance', formatSize(glanceBytes)],
    ['took', formatDuration(total) + (parts.length > 0 ? ` (${parts.join(', ')})` : '')],
    ...roads.map(({road, taken, why}) => [`${taken ? 'by' : 'not by'} ${road}`, why] as const),
  ]);
}

function describeView({pool, name, state, size, parent, registered, empty, why, intent}: DiskViewAnswer): string {
  return pairs([
    ['disk', `${pool}/${name}`],
    ['state', why === undefined ? state : `${state}: ${why}`],
    ['size', size === null ? undefined : formatSize(size)],
    ['parent', parent === null ? 'none' : `${formatParent(parent)}${registered ? '' : ', which does not list it'}`],
    ['data', empty ? 'none of its own' : 'written to'],
    ['being made', intent && `by ${intent.host} since ${intent.since}, of image ${intent.image}`],
  ]);
}

const formatParent = ({pool, image, snapshot}: DiskAnswer['parent']) => `${pool}/${image}@${snapshot}`;
