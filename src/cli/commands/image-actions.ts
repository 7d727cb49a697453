/** What `cellar image ...` does, and how it is told. */
import type {ImageAnswer, ImagesAnswer} from '../../api/wire.ts';
import type {Result} from '../output.ts';
import {progressBar} from '../progress.ts';
import type {Session} from '../session.ts';
import {pairs, table} from '../table.ts';
import {readToken} from '../token.ts';
import {formatSize} from '../units.ts';

type OneImage = {id: string};

export async function list(session: Session): Promise<Result> {
  const client = await session.client();
  const answer = await client.listImages(session.call);
  return {json: answer, ids: answer.images.map(({image}) => image), text: tableOf(answer)};
}

export async function show(session: Session, {id}: OneImage): Promise<Result> {
  const client = await session.client();
  const answer = await client.showImage(id, session.call);
  return {json: answer, ids: [answer.image], text: describe(answer)};
}

type PrefetchArgs = OneImage & {pin?: boolean | undefined; 'token-file'?: string | undefined};

export async function prefetch(session: Session, {id, pin: pinned, 'token-file': file}: PrefetchArgs): Promise<Result> {
  const token = await readToken({...session, signal: session.call.signal, file});
  if (token !== undefined) session.secrets.push(token);
  const client = await session.client();
  const bar = session.format === 'text' ? progressBar(session) : undefined;
  try {
    const request = {id, ...(token !== undefined && {token})};
    const answer = await client.prefetchImage(request, {...session.call, ...(bar && {onProgress: bar.update})});
    if (pinned) await client.pinImage(id, session.call);
    const {image, outcome, size, glanceBytes} = answer;
    const how = outcome === 'filled' ? `was cached: ${formatSize(glanceBytes)} from Glance` : 'is in the cache already';
    return {
      json: {...answer, ...(pinned && {pinned: true})},
      ids: [image],
      text: `${image} ${how}, a disk of ${formatSize(size)}${pinned ? ', pinned' : ''}\n`,
    };
  } finally {
    bar?.clear();
  }
}

/** Not intact is bad news, not an error: the answer is all there, and the exit code says it. */
export async function verify(session: Session, {id}: OneImage): Promise<Result> {
  const client = await session.client();
  const bar = session.format === 'text' ? progressBar(session, 'reading') : undefined;
  try {
    const answer = await client.verifyImage(id, {...session.call, ...(bar && {onProgress: bar.update})});
    const {image, rbdImage, size, intact} = answer;
    const text = intact
      ? `${image} is intact: ${formatSize(size)} read from ${rbdImage}\n`
      : `${image} is NOT intact: ${rbdImage} differs from what was stored. It was quarantined: no new disk is made of it.\n` +
        `Disks that are clones of it share its bytes. \`rbd children\` shows them; \`cellar image evict\` lets it go after the last of them.\n`;
    return {json: answer, ids: intact ? [image] : [], text, exit: intact ? 0 : 1};
  } finally {
    bar?.clear();
  }
}

export async function pin(session: Session, {id}: OneImage): Promise<Result> {
  const client = await session.client();
  const answer = await client.pinImage(id, session.call);
  const text = `${answer.image} is pinned${answer.cached ? '' : ', and has no copy yet'}\n`;
  return {json: answer, ids: [answer.image], text};
}

export async function unpin(session: Session, {id}: OneImage): Promise<Result> {
  const client = await session.client();
  const answer = await client.unpinImage(id, session.call);
  return {json: answer, ids: [answer.image], text: `${answer.image} is not pinned\n`};
}

export async function evict(session: Session, {id}: OneImage): Promise<Result> {
  const client = await session.client();
  const answer = await client.evictImage(id, session.call);
  const {image, evicted} = answer;
  return {json: answer, ids: evicted ? [image] : [], text: `${image} ${evicted ? 'is evicted' : 'was not cached'}\n`};
}

/** One line for each copy; then one for each pinned image that has none. */
function tableOf({images, retired, pins}: ImagesAnswer): string {
  const header = ['IMAGE', 'STATE', 'SIZE', 'STORED', 'FORMAT', 'VERIFIED', 'PINNED', 'LAST USE', 'CREATED', 'BY'];
  const cached = images.map(({image, size, stored, source, pinned, lastUse, created, host}) => [
    image,
    'cached',
    formatSize(size),
    formatSize(stored),
    source.diskFormat,
    source.verified ? 'yes' : 'no',
    pinned ? 'yes' : 'no',
    lastUse ?? 'never',
    created,
    host,
  ]);
  const leaving = retired.map(({image, stored, quarantined}) => {
    const state = quarantined ? 'quarantined' : 'retired';
    return [image, state, '-', formatSize(stored), '-', '-', '-', '-', '-', '-'];
  });
  const waiting = pins
    .filter(pin => !images.some(({image}) => image === pin))
    .map(pin => [pin, 'not cached', '-', '-', '-', '-', 'yes', '-', '-', '-']);
  return table(header, [...cached, ...leaving, ...waiting], [2, 3]);
}

function describe(answer: ImageAnswer): string {
  const {image, rbdImage, snapshot, size, stored, source, rawDigest, created, host, pinned, lastUse} = answer;
  const {diskFormat, verified, digests} = source;
  const [digest = '', algorithm = 'sha512'] = rawDigest.split(':').reverse(); // of a converted disk: of its pieces
  return pairs([
    ['image', image],
    ['copy', `${rbdImage}@${snapshot}`],
    ['size', `${formatSize(size)}, ${formatSize(stored)} stored`],
    ['made', `${created} by ${host}`],
    ['last use', lastUse ?? 'never'],
    ['pinned', pinned ? 'yes' : 'no'],
    [
      'file',
      `${diskFormat}, ${formatSize(source.size)}, ${verified ? 'verified' : 'not verified: Glance has no hash of it'}`,
    ],
    ...Object.entries(digests).map(([algorithm, digest]) => [`file ${algorithm}`, digest] as const),
    [`disk ${algorithm}`, digest],
  ]);
}
