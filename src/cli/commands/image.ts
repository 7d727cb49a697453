import type {Argv} from 'yargs';
import type {ImageAnswer} from '../../api/wire.ts';
import {type Act, examples} from '../command.ts';
import type {Result} from '../output.ts';
import type {Session} from '../session.ts';
import {pairs, table} from '../table.ts';
import {formatSize} from '../units.ts';

export const imageCommands = (yargs: Argv, act: Act) =>
  yargs
    .usage(
      examples('image <command>', [
        'cellar image list',
        'cellar image show 5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01 --json',
      ]),
    )
    .command(
      'list',
      "the cell's cached copies",
      command => command.usage(examples('image list', ['cellar image list', 'cellar image list -q'])),
      act(list),
    )
    .command(
      'show <id>',
      'one cached copy',
      command =>
        command
          .usage(
            examples('image show ID', [
              'cellar image show 5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01',
              'cellar image show 5b9a1f0e-0c1d-4a6e-9a58-0a4c7d2f6a01 --json',
            ]),
          )
          .positional('id', {type: 'string', demandOption: true, describe: 'the Glance image id'}),
      act(show),
    )
    .demandCommand(1, 'image needs a command');

async function list(session: Session): Promise<Result> {
  const client = await session.client();
  const answer = await client.listImages(session.call);
  const rows = answer.images.map(({image, size, source, created, host}) => [
    image,
    formatSize(size),
    source.diskFormat,
    source.verified ? 'yes' : 'no',
    created,
    host,
  ]);
  const header = ['IMAGE', 'SIZE', 'FORMAT', 'VERIFIED', 'CREATED', 'BY'];
  return {json: answer, ids: answer.images.map(({image}) => image), text: table(header, rows, [1])};
}

async function show(session: Session, {id}: {id: string}): Promise<Result> {
  const client = await session.client();
  const answer = await client.showImage(id, session.call);
  return {json: answer, ids: [answer.image], text: describe(answer)};
}

function describe({image, rbdImage, snapshot, size, source, rawDigest, created, host}: ImageAnswer): string {
  const {diskFormat, verified, digests} = source;
  return pairs([
    ['image', image],
    ['copy', `${rbdImage}@${snapshot}`],
    ['size', formatSize(size)],
    ['made', `${created} by ${host}`],
    [
      'file',
      `${diskFormat}, ${formatSize(source.size)}, ${verified ? 'verified' : 'not verified: Glance has no hash of it'}`,
    ],
    ...Object.entries(digests).map(([algorithm, digest]) => [`file ${algorithm}`, digest] as const),
    ['disk sha512', rawDigest],
  ]);
}
